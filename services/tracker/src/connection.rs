//! One connection: requests in, answers out, in order.

use std::sync::Arc;
use std::time::Instant;

use fdfs_proto::{Ending, HEADER_LEN, Header, RESPONSE, Status, TrackerCommand};
use net::{Conn, ConnError};
use traces::End;
use tracker_core::{Caller, ConnId};

use crate::handler::{self, Outcome};
use crate::metrics;
use crate::shell::Shell;

/// Serves a connection until it ends. The machine is told of the end, also when this is dropped in between.
pub(crate) async fn serve(shell: Arc<Shell>, mut conn: Conn) {
    let open = Open { conn: shell.number(), shell };
    let from = Caller { conn: open.conn, peer: conn.peer_ip(), local: conn.local().ip().to_canonical() };
    if let Err(error) = requests(&open.shell, &mut conn, from).await {
        match error {
            ConnError::BadHeader => tracing::warn!(peer = %conn.peer(), %error, "connection closed"),
            _ => tracing::debug!(peer = %conn.peer(), %error, "connection closed"),
        }
    }
}

async fn requests(shell: &Arc<Shell>, conn: &mut Conn, from: Caller) -> Result<(), ConnError> {
    while let Some(header) = conn.read_header().await? {
        let longest = shell.answers.message_max.saturating_sub(HEADER_LEN as u64);
        let len = match usize::try_from(header.body_len) {
            Ok(len) if header.body_len <= longest => len,
            _ => {
                tracing::warn!(
                    peer = %conn.peer(),
                    command = header.command,
                    len = header.body_len,
                    "a request is too long, connection closed"
                );
                return Ok(());
            }
        };
        let body = conn.read(len).await?;
        let (began, command) = (Instant::now(), header.command);
        // Boxed, so that an idle connection has no room set aside for the largest handler.
        let (status, body) = match Box::pin(handler::handle(shell, from, header.command, body)).await {
            Outcome::Done(body) => (Status::OK, body),
            Outcome::Refused(status) => (status, Vec::new()),
            Outcome::Close => return Ok(()),
        };
        let header = Header { body_len: body.len() as u64, command: RESPONSE, status: status.0 };
        conn.write_pair(&header.encode(), &body).await?;
        let (ending, took) = (status.ending(), began.elapsed());
        shell.requests.count(metrics::kind(command), ending as usize, took);
        let name = TrackerCommand::from_u8(command).map_or("unknown", TrackerCommand::name);
        let end = End { word: ending.word(), failed: ending == Ending::Failed };
        traces::request_ended("tracker", name, took, end);
    }
    Ok(())
}

/// Tells the machine when a connection ends.
struct Open {
    conn: ConnId,
    shell: Arc<Shell>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shell.closed(self.conn);
    }
}
