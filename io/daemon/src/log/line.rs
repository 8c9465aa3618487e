//! One event as one line.

use std::fmt;

use jiff::Zoned;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// `[YYYY-mm-dd HH:MM:SS] LEVEL - text field=value span{field=value}`, local time.
pub(super) struct OriginalLine;

impl<S, N> FormatEvent<S, N> for OriginalLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = level_word(*event.metadata().level());
        write!(out, "[{}] {level} - ", stamp(&Zoned::now()))?;
        context.field_format().format_fields(out.by_ref(), event)?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            write!(out, " {}", span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(out, "{{{fields}}}")?;
            }
        }
        writeln!(out)
    }
}

/// The time at the head of a line.
pub(super) fn stamp(time: &Zoned) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// The original's words.
fn level_word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// A line as it may stand in a log: whatever a peer managed to put into a field, it stays one line.
pub(super) fn one_line(bytes: &[u8]) -> Vec<u8> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut line = Vec::with_capacity(text.len() + 1);
    for &byte in text {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' | 0x20.. => line.push(byte),
            other => line.extend_from_slice(format!("\\x{other:02x}").as_bytes()),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_as_the_original_writes_it() {
        let time: Zoned = "2026-01-02T03:04:05[UTC]".parse().unwrap();
        assert_eq!(stamp(&time), "2026-01-02 03:04:05");
    }

    #[test]
    fn a_line_break_smuggled_into_a_field_stays_inside_the_line() {
        assert_eq!(
            one_line(b"bad name \"a\n[2026-01-01 00:00:00] ERROR - forged\x1b[0m\"\n"),
            b"bad name \"a\\n[2026-01-01 00:00:00] ERROR - forged\\x1b[0m\"\n"
        );
    }
}
