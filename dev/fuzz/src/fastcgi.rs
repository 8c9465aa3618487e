//! What a web server could send.

use bytes::BytesMut;
use fcgi_proto::{Decoder, Event, Limits, TARGET_BYTES_MAX, request_head};

const LIMITS: Limits = Limits { params_bytes: 4096, params: 64 };

/// Bytes as a connection, in pieces as long as the first byte says and in one: both mean the same, requests come one after
/// another, and a head has no lines that nobody wrote.
pub fn fastcgi(bytes: &[u8]) {
    let Some((step, rest)) = bytes.split_first() else { return };
    let cut = read(rest.chunks(usize::from(*step) + 1));
    assert_eq!(cut, read([rest]));
}

/// What is the same however it is cut: the events but for content, all content, whether it ended in an error.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Vec<u8>, bool) {
    let (mut decoder, mut input) = (Decoder::new(LIMITS), BytesMut::new());
    let (mut events, mut content, mut going) = (Vec::new(), Vec::new(), None);
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let event = match decoder.next(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_) => return (events, content, true),
            };
            match &event {
                Event::Begin { id, .. } => assert_eq!(going.replace(*id), None),
                Event::Abort { id } => assert_eq!(going.take(), Some(*id)),
                Event::Params(params) => {
                    assert!(going.is_some() && params.iter().count() <= LIMITS.params);
                    if let Ok(head) = request_head(params) {
                        let target = head.request.uri().to_string();
                        assert!(
                            target.len() <= TARGET_BYTES_MAX
                                && target.bytes().all(|byte| byte.is_ascii_graphic())
                        );
                        let mut values = head.request.headers().values();
                        assert!(values.all(|value| !value.as_bytes().contains(&b'\n')));
                    }
                }
                Event::Stdin(bytes) => assert!(going.is_some() && !bytes.is_empty()),
                Event::StdinEnd => assert!(going.is_some()),
                Event::Refused { .. } | Event::GetValues(_) | Event::UnknownType(_) => {}
            }
            match event {
                Event::Stdin(bytes) => content.extend_from_slice(&bytes),
                event => events.push(event),
            }
        }
        assert!(input.len() < fcgi_proto::HEADER_LEN, "what has come is taken");
    }
    (events, content, false)
}
