//! Values: how each type is read from text (wire protocol: client.conf, INI grammar; original: `parse_bytes`,
//! `get_time_item_from_str`, `get_log_level`).

use std::time::Duration;

use crate::error::{Bytes, Oddity, Reason};
use crate::registry::{Fit, Key, Kind, Unit};
use crate::service::{AddressFamily, LogLevel, TimeOfDay};

/// A type a value can have.
pub(crate) trait FromConf: Sized {
    /// Reads a trimmed text for a key; what is odd about it goes to `oddities`.
    fn from_conf(key: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<Self, Reason>;
}

impl FromConf for String {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        Ok(text.to_owned())
    }
}

impl FromConf for bool {
    fn from_conf(_: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            "" => {
                oddities.push(Oddity::EmptyBool);
                Ok(false)
            }
            _ => Err(Reason::NotABool { got: text.to_owned() }),
        }
    }
}

/// An empty number or size means the default, where there is one.
fn or_default<T>(
    key: &Key,
    text: &str,
    oddities: &mut Vec<Oddity>,
    parse: impl Fn(&str, &mut Vec<Oddity>) -> Result<T, Reason>,
) -> Result<T, Reason> {
    match key.default {
        Some(default) if text.is_empty() => {
            oddities.push(Oddity::EmptyNumber { used: default.to_owned() });
            parse(default, &mut Vec::new())
        }
        None if text.is_empty() => Err(Reason::Empty),
        _ => parse(text, oddities),
    }
}

/// A whole number within the key's limits.
fn number(key: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<i64, Reason> {
    or_default(key, text, oddities, |text, oddities| {
        let value = integer(text, oddities)?;
        let Kind::Number { min, max, fit, .. } = key.kind else {
            return i64::try_from(value).map_err(|_| Reason::NotANumber { got: text.to_owned() });
        };
        let inside = i64::try_from(value).ok().filter(|value| (min..=max).contains(value));
        if let Some(value) = inside {
            return Ok(value);
        }
        let used = match (fit, key.default) {
            (Fit::DefaultBelow, Some(default)) if value < i128::from(min) => {
                integer(default, &mut Vec::new())?
            }
            (Fit::Clamp, _) => value.clamp(i128::from(min), i128::from(max)),
            _ => return Err(Reason::OutOfRange { min, max, got: value }),
        };
        oddities.push(Oddity::Replaced { got: value.to_string(), used: used.to_string() });
        i64::try_from(used).map_err(|_| Reason::OutOfRange { min, max, got: value })
    })
}

/// Digits with an optional sign. FastDFS reads numbers up to the first other character, so `30 # half a minute` works there:
/// a comment after the number is stepped over here too; anything else after it is an error.
fn integer(text: &str, oddities: &mut Vec<Oddity>) -> Result<i128, Reason> {
    let bad = || Reason::NotANumber { got: text.to_owned() };
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let value: i128 = digits.parse().map_err(|_| bad())?;
    let rest = rest.trim_start();
    if rest.starts_with('#') {
        oddities.push(Oddity::CommentAfterValue { got: text.to_owned(), used: digits.to_owned() });
    } else if !rest.is_empty() {
        return Err(bad());
    }
    Ok(value)
}

macro_rules! integers {
    ($($int:ty),*) => { $(
        impl FromConf for $int {
            fn from_conf(key: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<Self, Reason> {
                let value = number(key, text, oddities)?;
                <$int>::try_from(value).map_err(|_| Reason::OutOfRange {
                    min: <$int>::MIN.into(),
                    max: <$int>::MAX.into(),
                    got: value.into(),
                })
            }
        }
    )* };
}
integers!(u8, u16, u32, i32);

impl FromConf for Duration {
    fn from_conf(key: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<Self, Reason> {
        let value = number(key, text, oddities)?;
        let count = u64::try_from(value).map_err(|_| Reason::OutOfRange {
            min: 0,
            max: i64::MAX,
            got: value.into(),
        })?;
        Ok(match key.kind {
            Kind::Number { unit: Unit::Milliseconds, .. } => Duration::from_millis(count),
            _ => Duration::from_secs(count),
        })
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl Size {
    /// For keys whose largest value fits.
    pub(crate) fn to_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl FromConf for Size {
    fn from_conf(key: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<Self, Reason> {
        or_default(key, text, oddities, |text, oddities| {
            let bytes = parse_size(text).ok_or_else(|| Reason::NotASize { got: text.to_owned() })?;
            let Kind::Size { min, max, fit } = key.kind else { return Ok(Size(bytes)) };
            if (min..=max).contains(&bytes) {
                return Ok(Size(bytes));
            }
            if fit == Fit::Clamp {
                let used = bytes.clamp(min, max);
                oddities.push(Oddity::Replaced { got: text.to_owned(), used: Bytes(used).to_string() });
                return Ok(Size(used));
            }
            Err(Reason::SizeOutOfRange { min, max, got: text.to_owned() })
        })
    }
}

/// `512`, `256KB`, `64 m`, `1T`: digits, then K, M, G or T in either case, then perhaps B.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let count: u64 = digits.parse().ok()?;
    let unit = unit.trim_start().to_ascii_uppercase();
    let shift = match unit.as_str() {
        "" => 0,
        "K" | "KB" => 10,
        "M" | "MB" => 20,
        "G" | "GB" => 30,
        "T" | "TB" => 40,
        _ => return None,
    };
    count.checked_mul(1 << shift)
}

impl FromConf for TimeOfDay {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        parse_time(text).ok_or_else(|| Reason::NotATime { got: text.to_owned() })
    }
}

fn parse_time(text: &str) -> Option<TimeOfDay> {
    let mut parts = text.split(':').map(|part| {
        let part = part.trim();
        let plain = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u8>().ok().filter(|_| plain)
    });
    let hour = parts.next()??;
    let minute = parts.next()??;
    let second = match parts.next() {
        None => 0,
        Some(second) => second?,
    };
    let valid = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    valid.then_some(TimeOfDay { hour, minute, second })
}

impl FromConf for AddressFamily {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "" | "auto" => Ok(AddressFamily::Auto),
            "ipv4" => Ok(AddressFamily::V4),
            "ipv6" => Ok(AddressFamily::V6),
            "both" => Ok(AddressFamily::Both),
            _ => Err(Reason::NotAChoice { allowed: "auto, IPv4, IPv6 or both", got: text.to_owned() }),
        }
    }
}

impl FromConf for LogLevel {
    /// The beginning of the word is enough, as FastDFS reads it: `warning`, `ERROR`, `err`; also `LOG_ERR`.
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        const WORDS: [(&str, LogLevel); 8] = [
            ("debug", LogLevel::Debug),
            ("info", LogLevel::Info),
            ("notice", LogLevel::Notice),
            ("warn", LogLevel::Warn),
            ("err", LogLevel::Error),
            ("crit", LogLevel::Crit),
            ("alert", LogLevel::Alert),
            ("emerg", LogLevel::Emerg),
        ];
        let lower = text.to_ascii_lowercase();
        let word = lower.strip_prefix("log_").unwrap_or(&lower);
        if word.is_empty() {
            return Ok(LogLevel::Info);
        }
        let found = WORDS.iter().find(|(start, _)| word.starts_with(start));
        found.map(|(_, level)| *level).ok_or_else(|| Reason::NotAChoice {
            allowed: "emerg, alert, crit, error, warn, notice, info or debug",
            got: text.to_owned(),
        })
    }
}
