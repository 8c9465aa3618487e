//! Bodies that are forms (`multipart/form-data`), and bodies as a stream.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use multer::Multipart;
use tokio::time::timeout;

use crate::fields::BODY_PATIENCE;
use crate::refusal::{BODY_BROKE, BODY_LATE, FORM_INVALID, Refusal};

/// Fields of a form at most.
pub(crate) const FORM_FIELDS_MAX: usize = 16;

/// Of a refused body, bytes that are read at most, and for how long.
const DRAIN_BYTES_MAX: usize = 64 << 20;
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// The body of a form broke off.
#[derive(Debug, thiserror::Error)]
#[error("the body of a form broke off")]
struct Broke(Refusal);

/// A body's bytes.
pub(crate) fn arriving(body: Body) -> impl Stream<Item = Result<Bytes, Refusal>> + Unpin + Send + 'static {
    body.into_data_stream().map(|bytes| bytes.map_err(|_| BODY_BROKE.because("the body broke off")))
}

/// The fields in the bytes of a body.
pub(crate) fn form<'s>(
    bytes: impl Stream<Item = Result<Bytes, Refusal>> + Send + 's,
    boundary: String,
) -> Multipart<'s> {
    Multipart::new(bytes.map(|bytes| bytes.map_err(Broke)), boundary)
}

/// Reads what is left of a body that is refused, within bounds: an answer must not be lost in a reset.
pub(crate) async fn drain(bytes: &mut (impl Stream<Item = Result<Bytes, Refusal>> + Unpin)) {
    let rest = async {
        let mut left = DRAIN_BYTES_MAX;
        while let Some(Ok(piece)) = bytes.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
    };
    // Who is slower loses the answer.
    timeout(DRAIN_WAIT, rest).await.ok();
}

/// What comes next of a form, in time.
pub(crate) async fn soon<T>(next: impl Future<Output = multer::Result<T>>) -> Result<T, Refusal> {
    let late = |_| BODY_LATE.because("the form did not come in time");
    timeout(BODY_PATIENCE, next).await.map_err(late)?.map_err(form_refusal)
}

/// Why a form is none.
pub(crate) fn form_refusal(error: multer::Error) -> Refusal {
    let error = match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<Broke>() {
            Ok(broke) => return broke.0,
            Err(cause) => multer::Error::StreamReadFailed(cause),
        },
        error => error,
    };
    FORM_INVALID.because(error.to_string())
}
