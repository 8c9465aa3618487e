//! Our links against our tracker, both as machines: what the two make of each other over hours, in
//! milliseconds.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod town;

use fdfs_proto::Status;
use fdfs_proto::StorageStatus::{Active, Deleted, Offline, Syncing, WaitSync};
use town::Town;

#[test]
fn the_first_storage_of_a_group_serves_after_its_first_beat() {
    let mut town = Town::new(1, 1);
    town.start_all().until(1);
    assert_eq!(town.status_at(0, 0), Some(Active));
    assert_eq!(town.view(0).my_status, Some(Active));
    assert!(town.view(0).peers.is_empty());
    assert_eq!(town.store_goes_to(0), Ok("10.1.0.1".into()));
}

#[test]
fn space_that_the_links_report_is_what_the_tracker_places_by() {
    let mut town = Town::new(1, 1);
    town.storages[0].inputs.free_mb = 5;
    town.start_all().until(1);
    assert_eq!(town.store_goes_to(0), Err(Status::ENOSPC));
    town.storages[0].inputs.free_mb = 900;
    // The next disk report is due after a minute.
    town.until(59);
    assert_eq!(town.store_goes_to(0), Err(Status::ENOSPC));
    town.until(62);
    assert_eq!(town.store_goes_to(0), Ok("10.1.0.1".into()));
}

#[test]
fn a_second_storage_waits_until_the_first_one_has_sent_its_files() {
    let mut town = Town::new(1, 2);
    town.start(0).until(10);
    town.start(1).until(20);
    assert_eq!(town.status_at(0, 1), Some(WaitSync));
    assert_eq!(town.source_of(1), Some("10.1.0.1".into()));
    // The first one learns of it with its next beat.
    town.until(45);
    assert_eq!(town.peer(0, 1), Some(WaitSync));
    assert_eq!(town.peer(1, 0), Some(Active));
    // What replication will do: the source reports how far the copy is.
    town.report(0, 1, Syncing).until(80);
    assert_eq!((town.peer(0, 1), town.view(1).my_status), (Some(Syncing), Some(Syncing)));
    town.report(0, 1, Offline).until(150);
    assert_eq!(town.status_at(0, 1), Some(Active));
    assert_eq!((town.peer(0, 1), town.view(1).my_status), (Some(Active), Some(Active)));
    assert_eq!(town.reconnects(1), 0);
}

#[test]
fn a_restarted_storage_serves_again_without_a_new_copy() {
    let mut town = Town::new(1, 2);
    town.serving(&[0, 1]);
    let now = town.seconds();
    town.stop(1);
    town.until(now + 40);
    assert_eq!(town.peer(0, 1), Some(Offline));
    town.start(1).until(now + 42);
    assert_eq!(town.status_at(0, 1), Some(Active));
    assert_eq!(town.source_of(1), Some("10.1.0.1".into()));
}

#[test]
fn storages_come_back_by_themselves_when_the_tracker_was_away() {
    let mut town = Town::new(1, 2);
    town.serving(&[0, 1]);
    let now = town.seconds();
    town.take_down(0);
    town.until(now + 300);
    town.bring_up(0);
    town.until(now + 400);
    assert_eq!((town.status_at(0, 0), town.status_at(0, 1)), (Some(Active), Some(Active)));
}

#[test]
fn a_tracker_that_lost_its_memory_takes_its_storages_back() {
    let mut town = Town::new(1, 2);
    town.serving(&[0, 1]);
    let now = town.seconds();
    town.take_down(0);
    town.forget_everything(0);
    town.until(now + 10);
    town.bring_up(0);
    town.until(now + 200);
    assert_eq!((town.status_at(0, 0), town.status_at(0, 1)), (Some(Active), Some(Active)));
    assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
}

#[test]
fn with_two_trackers_that_lost_their_memory_storages_come_back_too() {
    let mut town = Town::new(2, 1);
    town.start_all().until(10);
    town.restart(0);
    for tracker in [0, 1] {
        town.take_down(tracker);
        town.forget_everything(tracker);
        town.bring_up(tracker);
    }
    town.until(100);
    assert_eq!((town.status_at(0, 0), town.status_at(1, 0)), (Some(Active), Some(Active)));
}

#[test]
fn a_removed_peer_is_known_to_be_removed() {
    let mut town = Town::new(1, 2);
    town.serving(&[0, 1]);
    town.stop(1);
    town.pass(40);
    town.delete(1).unwrap();
    town.pass(40);
    assert_eq!(town.peer(0, 1), Some(Deleted));
}

#[test]
fn a_removed_storage_that_starts_again_is_a_new_one() {
    let mut town = Town::new(1, 2);
    town.serving(&[0, 1]);
    town.stop(1);
    town.pass(40);
    town.delete(1).unwrap();
    town.start(1).pass(60);
    // Its source is still there: it waits for its files once more.
    assert_eq!(town.status_at(0, 1), Some(WaitSync));
    assert_eq!(town.peer(0, 1), Some(WaitSync));
}

#[test]
fn both_trackers_know_a_storage_and_both_place_uploads_on_it() {
    let mut town = Town::new(2, 2);
    town.start(0).until(5);
    town.lead(1);
    town.start(1).until(40);
    for tracker in [0, 1] {
        assert_eq!(town.status_at(tracker, 0), Some(Active));
        assert_eq!(town.status_at(tracker, 1), Some(WaitSync));
        assert_eq!(town.store_goes_to(tracker), Ok("10.1.0.1".into()));
    }
    assert_eq!(town.view(0).leader.unwrap().to_string(), "10.0.0.2:22122");
    town.report(0, 1, Syncing).report(0, 1, Offline).until(110);
    assert_eq!((town.status_at(0, 1), town.status_at(1, 1)), (Some(Active), Some(Active)));
    assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
}

#[test]
fn a_new_leader_is_followed_when_the_old_one_is_gone() {
    let mut town = Town::new(2, 2);
    town.start(0).until(5);
    town.lead(0);
    town.serving(&[0, 1]);
    town.take_down(0);
    town.lead(1);
    town.pass(70);
    assert_eq!(town.view(0).leader.unwrap().to_string(), "10.0.0.2:22122");
    assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
}

#[test]
fn two_leaders_are_noticed_and_step_down() {
    let mut town = Town::new(2, 1);
    town.start(0).until(5);
    town.lead(0);
    town.until(40);
    town.lead_without_telling(1);
    town.until(110);
    assert_eq!((town.leads(0), town.leads(1)), (false, false));
}

#[test]
fn a_storage_with_a_new_address_is_the_same_storage() {
    let mut town = Town::new(1, 2);
    town.follow_addresses = true;
    town.serving(&[0, 1]);
    town.stop(1);
    town.storages[1].ip = "10.1.0.77".parse().unwrap();
    town.pass(40);
    town.start(1).pass(60);
    assert_eq!(town.status_at(0, 1), Some(Active));
    assert_eq!(town.store_count(0), 2);
    assert_eq!(town.peer_by_name(0, "10.1.0.77"), Some(Active));
    assert_eq!(town.peer_by_name(0, "10.1.0.2"), Some(fdfs_proto::StorageStatus::IpChanged));
}

#[test]
fn a_tracker_that_was_away_during_a_change_of_address_has_no_storage_too_many_either() {
    for away in [0, 1] {
        let mut town = Town::new(2, 2);
        town.follow_addresses = true;
        town.start(0).until(5);
        town.lead(1 - away);
        town.serving(&[0, 1]);
        town.take_down(away);
        town.pass(60);
        town.stop(1);
        for address in ["10.1.0.77", "10.1.0.78", "10.1.0.2", "10.1.0.79"] {
            town.storages[1].ip = address.parse().unwrap();
            town.start(1).pass(60);
            assert_eq!(town.status_at(1 - away, 1), Some(Active), "{address}");
            town.stop(1);
            town.pass(40);
        }
        town.start(1).pass(60);
        town.bring_up(away);
        town.pass(200);
        for tracker in [0, 1] {
            let statuses = (town.status_at(tracker, 0), town.status_at(tracker, 1));
            assert_eq!(statuses, (Some(Active), Some(Active)), "tracker {tracker}, {away} was away");
            assert_eq!(town.store_count(tracker), 2, "tracker {tracker}, {away} was away");
        }
        assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
        // Nor does it when the tracker that was away decides.
        town.take_down(1 - away);
        town.lead(away);
        town.pass(200);
        assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
        assert_eq!(town.store_count(away), 2);
    }
}

#[test]
fn when_all_trackers_were_lost_for_an_hour_everybody_is_as_before_within_two_minutes() {
    let mut town = Town::new(2, 2);
    town.start(0).until(5);
    town.lead(0);
    town.serving(&[0, 1]);
    let before = (town.view(0).peers, town.view(1).peers);
    town.take_down(0);
    town.take_down(1);
    town.pass(3600);
    // Nobody says anything else meanwhile: members go on with each other.
    assert_eq!((town.view(0).peers, town.view(1).peers), before);
    assert!(town.view(0).identity.is_some());
    // The one after the other, with nothing but what they had saved.
    for tracker in [1, 0] {
        town.restart_tracker(tracker);
        town.bring_up(tracker);
        town.elect_somebody();
        town.pass(120);
        let statuses = (town.status_at(tracker, 0), town.status_at(tracker, 1));
        assert_eq!(statuses, (Some(Active), Some(Active)), "tracker {tracker}");
        assert_eq!(town.store_goes_to(tracker).map(|_| ()), Ok(()));
    }
    assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
    assert_eq!(town.source_of(1), Some("10.1.0.1".into()), "nobody was taken for new");
}

#[test]
fn a_tracker_that_is_added_knows_all_storages_once_each_was_restarted_with_its_name() {
    let mut town = Town::new(1, 2);
    town.serving(&[0, 1]);
    town.add_tracker();
    for storage in [0, 1] {
        town.restart(storage);
        town.pass(120);
    }
    town.elect_somebody();
    town.pass(120);
    for tracker in [0, 1] {
        let statuses = (town.status_at(tracker, 0), town.status_at(tracker, 1));
        assert_eq!(statuses, (Some(Active), Some(Active)), "tracker {tracker}");
    }
    assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
    assert_eq!(town.source_of(1), Some("10.1.0.1".into()), "nobody was taken for new");
}

#[test]
fn a_quiet_day_needs_no_second_connection_and_no_trouble() {
    let mut town = Town::new(1, 2);
    town.serving(&[0, 1]);
    town.until(86_400);
    assert_eq!((town.reconnects(0), town.reconnects(1)), (0, 0));
    assert!(town.troubles().is_empty());
    assert_eq!((town.peer(0, 1), town.peer(1, 0)), (Some(Active), Some(Active)));
}

#[test]
fn whatever_fails_all_find_together_again() {
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let mut town = Town::new(2, 3);
        town.start(0).until(5);
        town.lead(0);
        for _ in 0..25 {
            let (one, other) = (chance.below(3), chance.below(2));
            match chance.below(5) {
                0 => town.stop(one),
                1 => town.restart(one),
                2 => town.take_down(other),
                3 => town.bring_up(other),
                _ => {}
            }
            town.elect_somebody();
            town.pass(chance.below(90) as u64);
            town.copy_old_files();
        }
        town.bring_up(0);
        town.bring_up(1);
        for storage in 0..3 {
            if !town.runs(storage) {
                town.start(storage);
            }
        }
        for _ in 0..20 {
            town.elect_somebody();
            town.pass(30);
            town.copy_old_files();
        }
        for storage in 0..3 {
            for tracker in 0..2 {
                let status = town.status_at(tracker, storage);
                assert_eq!(status, Some(Active), "seed {seed}, storage {storage} at tracker {tracker}");
            }
            for peer in (0..3).filter(|peer| *peer != storage) {
                let status = town.peer(storage, peer);
                assert_eq!(status, Some(Active), "seed {seed}, storage {storage} sees {peer}");
            }
        }
    }
}

/// A small generator of numbers; the seed says which.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
}
