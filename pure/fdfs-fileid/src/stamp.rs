//! The 20 bytes inside a file name: who made it, when, how big, which checksum.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::net::{IpAddr, Ipv4Addr};

/// Characters of 20 bytes in base64 without padding.
pub(crate) const STAMP_TEXT_LEN: usize = 27;

/// Bytes of a [`Stamp`].
const STAMP_LEN: usize = 20;

/// Largest numeric server id that a name can carry.
pub const NUMERIC_ID_MAX: u32 = 0x00FF_FFFF;

/// URL-safe base64. Bits left over in the last character are ignored when reading, as the original does, and
/// zero when writing.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The storage that made a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Its IPv4 address.
    Ip(Ipv4Addr),
    /// Its server id from `storage_ids.conf`, 1 to [`NUMERIC_ID_MAX`].
    Id(u32),
}

impl Source {
    /// The source for a storage known by its address. Of an IPv6 address bytes 8 to 11 are taken, as the
    /// original does.
    pub fn from_addr(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(v4) => Self::Ip(v4),
            IpAddr::V6(v6) => {
                let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = v6.octets();
                Self::Ip(Ipv4Addr::new(a, b, c, d))
            }
        }
    }

    /// The address that its bytes are: also of one that reads as an id because it ends in `.0`.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::from(self.encode())
    }

    /// The first four bytes of a stamp: an address in textual order, an id in little-endian order.
    pub fn encode(self) -> [u8; 4] {
        match self {
            Self::Ip(ip) => ip.octets(),
            Self::Id(id) => id.to_le_bytes(),
        }
    }

    /// Tells an id from an address: an id is at most [`NUMERIC_ID_MAX`] when read little-endian.
    ///
    /// So an address ending in `.0` reads as an id; the format has no way around that. Whoever knows no such id looks for
    /// [`Self::address`].
    pub fn decode(bytes: [u8; 4]) -> Self {
        match u32::from_le_bytes(bytes) {
            id @ 1..=NUMERIC_ID_MAX => Self::Id(id),
            _ => Self::Ip(Ipv4Addr::from(bytes)),
        }
    }
}

/// The size field of a stamp with its marks.
///
/// Bit 63: low 32 bits are the size, bits 32 to 54 are random. Bit 59: trunk slot. Bit 58: appender, size
/// unknown. Sizes from 4 GiB on stand there plainly.
///
/// Source: wire protocol, "Base64 and the 20 bytes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SizeWord(pub u64);

impl SizeWord {
    const MASKED: u64 = 1 << 63;
    const TRUNK: u64 = 1 << 59;
    const APPENDER: u64 = 1 << 58;
    const LOW: u64 = 0xFFFF_FFFF;
    const RANDOM: u32 = 0x007F_FFFF;

    fn masked(marks: u64, size: u64, random23: u32) -> Self {
        Self(Self::MASKED | marks | u64::from(random23 & Self::RANDOM) << 32 | size & Self::LOW)
    }

    /// For an ordinary file of `size` bytes; 23 random bits keep equal files apart. Nothing random fits next
    /// to a size of 4 GiB and more.
    pub fn normal(size: u64, random23: u32) -> Self {
        if size > Self::LOW { Self(size) } else { Self::masked(0, size, random23) }
    }

    /// For an appender, whose size is not in the name.
    pub fn appender(random23: u32) -> Self {
        Self::masked(Self::APPENDER, 0, random23)
    }

    /// For a file in a trunk slot, of `size` bytes.
    pub fn trunk(size: u32, random23: u32) -> Self {
        Self::masked(Self::TRUNK, u64::from(size), random23)
    }

    /// True for names of appenders (and of their slaves).
    pub fn is_appender(self) -> bool {
        self.0 & Self::APPENDER != 0
    }

    /// True for names of files in trunk slots (and of their slaves).
    pub(crate) fn is_trunk(self) -> bool {
        self.0 & Self::TRUNK != 0
    }

    /// Size in bytes as written in the name; none for appenders. In a slave's name it is the master's.
    pub fn size(self) -> Option<u64> {
        if self.is_appender() {
            None
        } else if self.0 & (Self::MASKED | Self::TRUNK) != 0 {
            Some(self.0 & Self::LOW)
        } else {
            Some(self.0)
        }
    }
}

/// What the first 27 characters of a base name say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The storage that took the upload.
    pub source: Source,
    /// Time of the upload, Unix seconds.
    pub timestamp: u32,
    /// Size with its marks.
    pub size: SizeWord,
    /// CRC-32 (zlib's) of the content at upload; for an appender, of its first content.
    pub crc32: u32,
}

impl Stamp {
    /// The 20 bytes, big-endian but for a numeric source.
    pub fn encode(&self) -> [u8; STAMP_LEN] {
        let mut bytes = [0; STAMP_LEN];
        bytes[..4].copy_from_slice(&self.source.encode());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.size.0.to_be_bytes());
        bytes[16..].copy_from_slice(&self.crc32.to_be_bytes());
        bytes
    }

    /// Reads the 20 bytes; any bytes are a stamp.
    pub fn decode(bytes: &[u8; STAMP_LEN]) -> Self {
        let [s0, s1, s2, s3, t0, t1, t2, t3, z0, z1, z2, z3, z4, z5, z6, z7, c0, c1, c2, c3] = *bytes;
        Self {
            source: Source::decode([s0, s1, s2, s3]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            size: SizeWord(u64::from_be_bytes([z0, z1, z2, z3, z4, z5, z6, z7])),
            crc32: u32::from_be_bytes([c0, c1, c2, c3]),
        }
    }

    /// The 27 characters.
    pub fn to_text(&self) -> String {
        BASE64.encode(self.encode())
    }

    /// Reads 27 characters; none when they are not base64 or not 27.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; STAMP_LEN];
        if text.len() != STAMP_TEXT_LEN || BASE64.decode_slice(text, &mut bytes) != Ok(STAMP_LEN) {
            return None;
        }
        Some(Self::decode(&bytes))
    }
}
