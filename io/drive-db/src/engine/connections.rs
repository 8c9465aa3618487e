//! All connections of a database, and what a step runs on.

use super::Engine;
use super::connection::Connection;
use super::group::{Grouped, Turn};
use super::pool::{Pool, Pooled};
use crate::error::Fault;

/// All connections of a database.
pub(crate) enum Connections {
    Sqlite {
        writer: Grouped,
        /// Those that read on the thread of whoever asks.
        readers: Pool,
        /// Those that read long, on threads of their own.
        long_readers: Pool,
    },
    MySql(Pool),
}

/// What a step runs on.
pub(crate) enum Held<'c> {
    Turn(Turn),
    Pooled(Pooled<'c>),
}

impl Connections {
    pub(crate) const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::MySql(_) => Engine::MySql,
        }
    }

    /// Begins a step that writes: a connection in a transaction, when it is this step's turn. Ends by the deadline of whoever asks.
    pub(crate) async fn begin(&self) -> Result<Held<'_>, Fault> {
        match self {
            Self::Sqlite { writer, .. } => writer.begin().await.map(Held::Turn),
            Self::MySql(pool) => {
                let mut pooled = pool.take().await?;
                match pooled.connection().begin().await {
                    Ok(()) => Ok(Held::Pooled(pooled)),
                    Err(fault) => {
                        pooled.end(Some(&fault));
                        Err(fault)
                    }
                }
            }
        }
    }

    /// Those that read what an index finds, if it is not those that read long.
    pub(crate) const fn readers(&self) -> Option<&Pool> {
        match self {
            Self::Sqlite { readers, .. } => Some(readers),
            Self::MySql(_) => None,
        }
    }

    /// Those that may read long.
    pub(crate) const fn long_readers(&self) -> &Pool {
        match self {
            Self::Sqlite { long_readers, .. } => long_readers,
            Self::MySql(pool) => pool,
        }
    }

    /// The server that is used at present did not answer in time.
    pub(crate) fn suspect_present(&self) {
        if let Self::MySql(pool) = self {
            pool.suspect_present();
        }
    }
}

impl Held<'_> {
    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Fault> {
        match self {
            Self::Turn(turn) => turn.connection(),
            Self::Pooled(pooled) => Ok(pooled.connection()),
        }
    }

    /// Waits until all that the step did is on the disk.
    pub(crate) async fn commit(self) -> Result<(), Fault> {
        let mut pooled = match self {
            Self::Turn(turn) => return turn.commit().await,
            Self::Pooled(pooled) => pooled,
        };
        match pooled.connection().commit().await {
            Ok(()) => {
                pooled.end(None);
                Ok(())
            }
            Err(Fault::Away(text)) => {
                let unknown = Fault::Unknown(text);
                pooled.end(Some(&unknown));
                Err(unknown)
            }
            // Refused, and still to be undone.
            Err(fault) => {
                Self::Pooled(pooled).roll_back(&fault).await.ok();
                Err(fault)
            }
        }
    }

    /// Leaves nothing of what the step did, whatever was the matter with it.
    pub(crate) async fn roll_back(self, fault: &Fault) -> Result<(), Fault> {
        match self {
            Self::Turn(turn) if matches!(fault, Fault::Problem(_)) => return turn.refused().await,
            Self::Turn(turn) => drop(turn),
            Self::Pooled(pooled) if matches!(fault, Fault::Away(_)) => pooled.end(Some(fault)),
            Self::Pooled(mut pooled) => match pooled.connection().roll_back().await {
                Ok(()) => pooled.end(None),
                Err(_) => {
                    let fault = Fault::Away("a transaction could not be undone".to_owned());
                    pooled.end(Some(&fault));
                    return Err(fault);
                }
            },
        }
        Ok(())
    }

    /// What only read is at its end, well or not.
    pub(crate) fn end(self, fault: Option<&Fault>) {
        match self {
            Self::Turn(turn) => drop(turn),
            Self::Pooled(pooled) => pooled.end(fault),
        }
    }
}
