//! The settings that hold for the whole cluster: PARAMETER_REQ 75.
//!
//! The reply is `key=value` text. [`Parameters`] is what the text says; a key that is missing takes the value
//! the original's storage falls back to. Source: wire protocol, "PARAMETER_REQ"; storage internals, "cluster
//! parameters".

use std::fmt;

use crate::field::Reader;
use crate::limits::PARAMETERS_LEN_MAX;
use crate::{AddrWidth, DecodeError, Empty, Why};

/// Body of 75.
pub type Ask = Empty;

/// Reply of 75.
pub type Got = Parameters;

/// Space that uploads must leave free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservedSpace {
    /// So many MiB, divided among the store paths.
    Mib(u64),
    /// So many hundredths of a per cent of each store path, above 0 and below 10 000.
    HundredthsOfPercent(u16),
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    /// 0..=23.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
}

/// How the source of a file is written into its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdType {
    /// Its IPv4 address.
    Ip,
    /// Its numeric storage id.
    Id,
}

macro_rules! parameters {
    ($($(#[$meta:meta])* $key:ident: $ty:ty = $fallback:expr;)+) => {
        /// The settings that hold for the whole cluster.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Parameters {
            $($(#[$meta])* pub $key: $ty,)+
        }

        impl Default for Parameters {
            /// What a storage assumes where the tracker says nothing.
            fn default() -> Parameters {
                Parameters { $($key: $fallback,)+ }
            }
        }

        impl Parameters {
            /// Sets what the line says; `Ok(false)` for a key that is not known.
            fn set(&mut self, key: &[u8], value: &str) -> Option<bool> {
                $(if key == stringify!($key).as_bytes() {
                    self.$key = <$ty as Value>::read(value)?;
                    return Some(true);
                })+
                Some(false)
            }

            fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
                $(
                    out.write_str(concat!(stringify!($key), "="))?;
                    <$ty as Value>::write(&self.$key, out)?;
                    out.write_char('\n')?;
                )+
                Ok(())
            }
        }
    };
}

parameters! {
    /// Storages have numeric ids of their own instead of their addresses.
    use_storage_id: bool = false;
    /// What file names carry.
    id_type_in_filename: IdType = IdType::Ip;
    /// The tracker takes the id a storage claims.
    trust_storage_server_id: bool = false;
    /// Width of addresses in replies.
    response_ip_addr_size: AddrWidth = AddrWidth::V6;
    /// Storages report and follow changes of addresses.
    storage_ip_changed_auto_adjust: bool = false;
    /// Seconds after which every storage is taken to have a file.
    storage_sync_file_max_delay: u32 = 86_400;
    /// 0: store paths in turn; 2: the one with the most free space.
    store_path: u32 = 0;
    /// Space that uploads must leave free.
    reserved_storage_space: ReservedSpace = ReservedSpace::Mib(1024);
    /// Small files go into trunk files.
    use_trunk_file: bool = false;
    /// Smallest slot, bytes.
    slot_min_size: u64 = 256;
    /// Largest slot, bytes.
    slot_max_size: u64 = 16 * 1024 * 1024;
    /// Slots begin at multiples of this, bytes; 0 for any place.
    trunk_alloc_alignment_size: u64 = 0;
    /// Size of a trunk file, bytes.
    trunk_file_size: u64 = 64 * 1024 * 1024;
    /// Make trunk files before they are needed.
    trunk_create_file_advance: bool = false;
    /// When to begin with that.
    trunk_create_file_time_base: TimeOfDay = TimeOfDay { hour: 2, minute: 0 };
    /// Seconds between two runs.
    trunk_create_file_interval: u32 = 86_400;
    /// Free trunk space to keep ready, bytes.
    trunk_create_file_space_threshold: u64 = 0;
    /// Read each free slot's header when loading.
    trunk_init_check_occupying: bool = false;
    /// Load from the trunk binlog only.
    trunk_init_reload_from_binlog: bool = false;
    /// Merge neighbouring free slots.
    trunk_free_space_merge: bool = false;
    /// Delete trunk files that are all free.
    delete_unused_trunk_files: bool = false;
    /// Seconds that must pass between two compactions of the trunk binlog.
    trunk_compress_binlog_min_interval: u32 = 0;
    /// Seconds between two compactions; 0 for none.
    trunk_compress_binlog_interval: u32 = 0;
    /// When to begin with that.
    trunk_compress_binlog_time_base: TimeOfDay = TimeOfDay { hour: 3, minute: 0 };
    /// Old trunk binlogs to keep.
    trunk_binlog_max_backups: u32 = 0;
    /// A slave is a link to a hidden file.
    store_slave_file_use_link: bool = false;
}

impl Parameters {
    /// Reads the text. Keys that are not known and empty lines are skipped.
    ///
    /// # Errors
    /// [`Why::Length`] beyond 1023 bytes; [`Why::Text`] for a line without `=` and for a value its key cannot
    /// have.
    pub fn decode(body: &[u8]) -> Result<Parameters, DecodeError> {
        let mut reader = Reader::new("get_parameters reply", body);
        if body.len() > PARAMETERS_LEN_MAX {
            return Err(reader.fail(Why::Length));
        }
        let mut parameters = Parameters::default();
        let mut slot_max_given = false;
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            let bad = reader.fail(Why::Text);
            reader.take(line.len())?;
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let equals = line.iter().position(|byte| *byte == b'=').ok_or(bad)?;
            let (key, value) = line.split_at_checked(equals).ok_or(bad)?;
            let value = std::str::from_utf8(value).map_err(|_| bad)?;
            let value = value.strip_prefix('=').ok_or(bad)?;
            let known = parameters.set(key.trim_ascii(), value.trim()).ok_or(bad)?;
            slot_max_given |= known && key == b"slot_max_size";
        }
        if !slot_max_given {
            parameters.slot_max_size = parameters.trunk_file_size / 4;
        }
        Ok(parameters)
    }

    /// Appends the text, every key in the original's order.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut text = Utf8(out);
        // Writing into a Vec cannot fail.
        let _ = self.write(&mut text);
    }
}

/// Lets formatted text go straight into a byte buffer.
struct Utf8<'a>(&'a mut Vec<u8>);

impl fmt::Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A value as text behind `key=`.
trait Value: Sized {
    fn read(text: &str) -> Option<Self>;
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result;
}

impl Value for bool {
    fn read(text: &str) -> Option<bool> {
        Some(matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
    }
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_char(if *self { '1' } else { '0' })
    }
}

impl Value for u32 {
    fn read(text: &str) -> Option<u32> {
        text.parse().ok()
    }
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl Value for u64 {
    fn read(text: &str) -> Option<u64> {
        text.parse().ok()
    }
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl Value for IdType {
    fn read(text: &str) -> Option<IdType> {
        Some(if text.eq_ignore_ascii_case("id") { IdType::Id } else { IdType::Ip })
    }
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_str(match self {
            IdType::Ip => "ip",
            IdType::Id => "id",
        })
    }
}

impl Value for AddrWidth {
    fn read(text: &str) -> Option<AddrWidth> {
        text.parse().ok().and_then(AddrWidth::from_len)
    }
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "{}", self.field_len())
    }
}

impl Value for TimeOfDay {
    fn read(text: &str) -> Option<TimeOfDay> {
        let (hour, minute) = text.split_once(':')?;
        let time = TimeOfDay { hour: hour.parse().ok()?, minute: minute.parse().ok()? };
        (time.hour < 24 && time.minute < 60).then_some(time)
    }
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl Value for ReservedSpace {
    fn read(text: &str) -> Option<ReservedSpace> {
        match text.strip_suffix('%') {
            Some(percent) => {
                let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
                let whole: u16 = whole.trim().parse().ok().filter(|whole| *whole < 100)?;
                let part: u16 = match part.len() {
                    0 => 0,
                    1 => part.parse::<u16>().ok()? * 10,
                    2 => part.parse().ok()?,
                    _ => return None,
                };
                let hundredths = whole * 100 + part;
                (hundredths > 0).then_some(ReservedSpace::HundredthsOfPercent(hundredths))
            }
            None => {
                let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                let (number, unit) = text.split_at_checked(split)?;
                let number: u64 = number.parse().ok()?;
                let mib = 1024 * 1024;
                let bytes = match unit.trim().to_ascii_uppercase().as_str() {
                    "" | "B" => number,
                    "K" | "KB" => number.checked_mul(1024)?,
                    "M" | "MB" => number.checked_mul(mib)?,
                    "G" | "GB" => number.checked_mul(1024 * mib)?,
                    "T" | "TB" => number.checked_mul(1024 * 1024 * mib)?,
                    _ => return None,
                };
                Some(ReservedSpace::Mib(bytes / mib))
            }
        }
    }
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            ReservedSpace::Mib(mib) => write!(out, "{mib}MB"),
            ReservedSpace::HundredthsOfPercent(n) => write!(out, "{}.{:02}%", n / 100, n % 100),
        }
    }
}
