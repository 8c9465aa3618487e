//! The contract of the port, asked of each adapter.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod suite;
mod world;

use world::{Cluster, Memory, OneRedis};

/// A test of each name for each adapter.
macro_rules! contract {
    ($($name:ident)+) => {
        mod memory {
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                super::suite::$name(&super::Memory::new()).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                super::suite::$name(&super::OneRedis::new()).await;
            })+
        }
        mod cluster {
            $(#[tokio::test]
            async fn $name() {
                super::suite::$name(&super::Cluster::new()).await;
            })+
        }
    };
}

contract! {
    a_value_is_kept_under_its_key_until_its_time_is_over
    the_next_value_takes_the_place_of_the_last_with_its_own_time
    no_kind_of_key_meets_another
    removing_forgets_these_keys_and_no_others
    what_is_kept_for_no_time_is_not_kept
    a_value_that_is_too_large_is_refused_and_changes_nothing
    any_bytes_are_a_value
    a_swap_asks_what_is_kept_now
    a_swapped_value_has_its_own_time
    of_many_swaps_at_once_one_wins
    requests_are_counted_as_the_rule_says
    of_many_requests_at_once_the_burst_goes_through
    a_count_lives_no_longer_than_it_means_something
    subjects_and_purposes_are_counted_apart
    without_a_board_nothing_is_added_and_there_is_no_page
    a_board_has_pages_from_both_ends
    a_board_without_entries_is_an_answer
    scores_are_added_to_and_new_links_come_on
    links_are_taken_off
    a_new_board_takes_the_place_of_the_old_one_with_its_own_time
    readers_see_the_old_board_or_the_new_one
    scores_end_where_they_can_not_be_told_apart
    a_board_has_so_many_entries_and_no_more
    a_dropped_call_mixes_up_no_answers
    it_answers
}
