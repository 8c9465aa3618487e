//! The ranking is made anew from the database, as a whole (W-25).

use std::sync::Arc;
use std::time::Duration;

use drive_core::Problem;
use drive_core::ports::{Board, Order};
use drive_core::ranking::{BOARD_TTL, RankEntry, rank};
use net::Stop;

use super::pause;
use crate::app::Drive;

/// How old a ranking may become. Far less than it is kept: a process that hangs leaves no hole.
const BOARD_PERIOD: Duration = Duration::from_secs(30);

pub(super) async fn run(drive: Arc<Drive>, mut stop: Stop) {
    loop {
        drive.make_board().await;
        if pause(&mut stop, BOARD_PERIOD).await {
            return;
        }
    }
}

impl Drive {
    /// Places of the ranking, from the cache as long as it has it.
    pub(crate) async fn ranked(
        &self,
        order: Order,
        from: usize,
        count: usize,
    ) -> Result<Vec<RankEntry>, Problem> {
        match self.cache.board_page(Board::Downloads, order, from, count).await {
            Ok(Some(entries)) => return Ok(entries),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the ranking was not looked up in the cache"),
        }
        let mut entries = self.database.ranking(self.now()).await?;
        rank(&mut entries);
        if order == Order::Lowest {
            entries.reverse();
        }
        Ok(entries.into_iter().skip(from).take(count).collect())
    }

    /// Makes the ranking now. Without database or cache the old one stays.
    pub async fn make_board(&self) {
        match self.database.ranking(self.now()).await {
            Ok(entries) => {
                if let Err(error) = self.cache.board_replace(Board::Downloads, &entries, BOARD_TTL).await {
                    tracing::warn!(%error, "the ranking could not be kept");
                }
            }
            Err(problem) => tracing::warn!(%problem, "the ranking could not be made"),
        }
    }
}
