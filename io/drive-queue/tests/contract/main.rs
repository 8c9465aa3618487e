//! The contract of the port, asked of each adapter.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod suite;
mod world;

use world::{Cluster, Embedded, JetStream, OneRedis};

/// A test of each name for each adapter.
macro_rules! contract {
    ($($name:ident)+) => {
        contract!(@of embedded Embedded $($name)+);
        contract!(@of redis OneRedis $($name)+);
        contract!(@of cluster Cluster $($name)+);
        contract!(@of nats JetStream $($name)+);
    };
    (@of $module:ident $world:ident $($name:ident)+) => {
        mod $module {
            $(#[tokio::test]
            async fn $name() {
                super::suite::$name::<super::$world>().await;
            })+
        }
    };
}

contract! {
    what_is_appended_is_handed_out
    lanes_do_not_meet
    a_claim_takes_no_more_than_it_asks_for
    a_claim_waits_for_the_first_entry
    a_claim_ends_when_nothing_comes
    what_is_handed_out_comes_back_after_the_lease_and_not_before
    what_is_acknowledged_never_comes_back
    what_is_unknown_is_nothing_to_do
    done_is_done_after_the_lease_too
    what_is_given_back_comes_at_its_time
    nothing_is_given_back_for_longer_than_the_lease
    a_full_lane_refuses_and_keeps_what_it_has
    a_batch_that_does_not_fit_is_refused
    what_is_set_aside_is_kept_with_its_reason
    a_reason_is_any_text_and_is_cut
    those_set_aside_come_in_pages
    what_is_set_aside_can_be_tried_again
    what_is_set_aside_can_be_dropped
    those_set_aside_have_a_bound_too
    appends_and_claims_of_many_at_once_lose_nothing
    equal_entries_are_one_or_two
    a_dropped_claim_costs_a_lease_at_most
    entries_of_a_process_that_died_come_back
    what_was_appended_survives_a_kill
}
