//! The parts are asked whether they are there, so that who watches the drive is told without waiting for them.

use std::sync::Arc;
use std::time::Duration;

use net::Stop;

use super::pause;
use crate::app::Drive;

/// How often.
const LOOK_EACH: Duration = Duration::from_secs(5);

pub(super) async fn run(drive: Arc<Drive>, mut stop: Stop) {
    loop {
        drive.look_at_parts().await;
        if pause(&mut stop, LOOK_EACH).await {
            return;
        }
    }
}
