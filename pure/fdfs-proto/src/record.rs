//! Records of fixed layout, declared once: the struct, its length and both directions.
//!
//! A row reads like the reference: field, Rust type, kind on the wire.

use fdfs_fileid::GroupName;

use crate::field::{Reader, put_int8, put_padded};
use crate::limits::{GROUP_LEN, GROUP_NUL_LEN, IP_TEXT_LEN, STORAGE_ID_LEN};
use crate::{DecodeError, FixedText, GroupField, IpText, RwMode, StorageId, StorageStatus, Why};

/// How a value of type `T` lies on the wire.
pub(crate) trait Kind<T> {
    const LEN: usize;
    fn read(reader: &mut Reader<'_>) -> Result<T, DecodeError>;
    fn write(value: &T, out: &mut Vec<u8>);
}

/// Declares a record: `field: type => kind on the wire`.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident as $what:literal {
            $($(#[$field_meta:meta])* $field:ident: $ty:ty => $kind:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)+
        }

        impl $name {
            /// Bytes on the wire.
            pub const LEN: usize = 0 $(+ <$kind as $crate::record::Kind<$ty>>::LEN)+;

            /// Reads exactly one record.
            ///
            /// # Errors
            /// When the length is not [`Self::LEN`] or a field holds what it cannot hold.
            pub fn decode(body: &[u8]) -> Result<Self, $crate::DecodeError> {
                let mut reader = $crate::field::Reader::new($what, body);
                let value = <Self as $crate::record::Kind<Self>>::read(&mut reader)?;
                reader.end()?;
                Ok(value)
            }

            /// Appends the record.
            pub fn encode(&self, out: &mut Vec<u8>) {
                $(<$kind as $crate::record::Kind<$ty>>::write(&self.$field, out);)+
            }
        }

        impl $crate::record::Kind<$name> for $name {
            const LEN: usize = $name::LEN;

            fn read(reader: &mut $crate::field::Reader<'_>) -> Result<$name, $crate::DecodeError> {
                Ok($name { $($field: <$kind as $crate::record::Kind<$ty>>::read(reader)?,)+ })
            }

            fn write(value: &$name, out: &mut Vec<u8>) {
                value.encode(out);
            }
        }
    };
}
pub(crate) use record;

/// All records that are left. Their number follows from the length of the body, so what is reserved is bounded
/// by what was received.
pub(crate) fn read_all<T: Kind<T>>(reader: &mut Reader<'_>, max: usize) -> Result<Vec<T>, DecodeError> {
    if !reader.remaining().is_multiple_of(T::LEN) {
        return Err(reader.fail(Why::Length));
    }
    let count = reader.remaining() / T::LEN;
    if count > max {
        return Err(reader.fail(Why::TooMany));
    }
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        records.push(T::read(reader)?);
    }
    Ok(records)
}

/// One byte.
pub(crate) struct Byte;
/// One byte, 0 or not 0.
pub(crate) struct Flag;
/// Four bytes, unsigned.
pub(crate) struct Int4;
/// Eight bytes that count something; negative is an error.
pub(crate) struct Int8;
/// Eight bytes taken as they are: a counter that may wrap.
pub(crate) struct Counter8;
/// Eight bytes, signed: unix seconds.
pub(crate) struct Time8;
/// A port in four bytes.
pub(crate) struct Port4;
/// A port in eight bytes.
pub(crate) struct Port8;
/// Eight bytes, −1 for none.
pub(crate) struct OrMinusOne8;
/// Group name in 16 bytes.
pub(crate) struct Group16;
/// Group name in 17 bytes, the last always NUL.
pub(crate) struct Group17;
/// Storage id in 16 bytes, empty for none.
pub(crate) struct Id16;
/// Address text in 46 bytes.
pub(crate) struct Ip46;
/// Text in its own width.
pub(crate) struct Text;
/// Storage status in one byte.
pub(crate) struct Status1;
/// Storage status in one byte, negative for none.
pub(crate) struct Status1OrNone;
/// Read/write mode in one byte.
pub(crate) struct RwMode1;

impl Kind<u8> for Byte {
    const LEN: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
        reader.u8()
    }
    fn write(value: &u8, out: &mut Vec<u8>) {
        out.push(*value);
    }
}

impl Kind<bool> for Flag {
    const LEN: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
        Ok(reader.u8()? != 0)
    }
    fn write(value: &bool, out: &mut Vec<u8>) {
        out.push(u8::from(*value));
    }
}

impl Kind<u32> for Int4 {
    const LEN: usize = 4;
    fn read(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
        reader.u32()
    }
    fn write(value: &u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

impl Kind<u64> for Int8 {
    const LEN: usize = 8;
    fn read(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
        reader.int8()
    }
    fn write(value: &u64, out: &mut Vec<u8>) {
        put_int8(out, *value);
    }
}

impl Kind<u64> for Counter8 {
    const LEN: usize = 8;
    fn read(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
        reader.u64()
    }
    fn write(value: &u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

impl Kind<i64> for Time8 {
    const LEN: usize = 8;
    fn read(reader: &mut Reader<'_>) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(reader.array()?))
    }
    fn write(value: &i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

impl Kind<u16> for Port4 {
    const LEN: usize = 4;
    fn read(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
        u16::try_from(reader.u32()?).map_err(|_| reader.fail(Why::Range))
    }
    fn write(value: &u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&u32::from(*value).to_be_bytes());
    }
}

impl Kind<u16> for Port8 {
    const LEN: usize = 8;
    fn read(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
        u16::try_from(reader.u64()?).map_err(|_| reader.fail(Why::Range))
    }
    fn write(value: &u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&u64::from(*value).to_be_bytes());
    }
}

impl<T: TryFrom<i64> + Copy + Into<i64>> Kind<Option<T>> for OrMinusOne8 {
    const LEN: usize = 8;
    fn read(reader: &mut Reader<'_>) -> Result<Option<T>, DecodeError> {
        match i64::from_be_bytes(reader.array()?) {
            -1 => Ok(None),
            value => T::try_from(value).map(Some).map_err(|_| reader.fail(Why::Range)),
        }
    }
    fn write(value: &Option<T>, out: &mut Vec<u8>) {
        let value: i64 = value.map_or(-1, Into::into);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

impl Kind<GroupField> for Group16 {
    const LEN: usize = GROUP_LEN;
    fn read(reader: &mut Reader<'_>) -> Result<GroupField, DecodeError> {
        reader.take(GROUP_LEN).map(GroupField::from_field)
    }
    fn write(value: &GroupField, out: &mut Vec<u8>) {
        put_padded(out, value.as_bytes(), GROUP_LEN);
    }
}

impl Kind<GroupName> for Group16 {
    const LEN: usize = GROUP_LEN;
    fn read(reader: &mut Reader<'_>) -> Result<GroupName, DecodeError> {
        let field: GroupField = <Group16 as Kind<GroupField>>::read(reader)?;
        field.group().map_err(|_| reader.fail(Why::Text))
    }
    fn write(value: &GroupName, out: &mut Vec<u8>) {
        put_padded(out, value.as_str().as_bytes(), GROUP_LEN);
    }
}

impl Kind<GroupName> for Group17 {
    const LEN: usize = GROUP_NUL_LEN;
    fn read(reader: &mut Reader<'_>) -> Result<GroupName, DecodeError> {
        let group = <Group16 as Kind<GroupName>>::read(reader)?;
        match (reader.u8()?, group.as_str().len()) {
            // Behind a shorter name the byte means nothing; behind a full one it must end the name.
            (0, _) | (_, 0..GROUP_LEN) => Ok(group),
            _ => Err(reader.fail(Why::Text)),
        }
    }
    fn write(value: &GroupName, out: &mut Vec<u8>) {
        put_padded(out, value.as_str().as_bytes(), GROUP_NUL_LEN);
    }
}

impl Kind<Option<StorageId>> for Id16 {
    const LEN: usize = STORAGE_ID_LEN;
    fn read(reader: &mut Reader<'_>) -> Result<Option<StorageId>, DecodeError> {
        let text = FixedText::<STORAGE_ID_LEN>::from_field(reader.take(STORAGE_ID_LEN)?);
        if text.is_empty() {
            return Ok(None);
        }
        StorageId::new(text.as_bytes()).map(Some).ok_or_else(|| reader.fail(Why::Text))
    }
    fn write(value: &Option<StorageId>, out: &mut Vec<u8>) {
        match value {
            Some(id) => out.extend_from_slice(id.field()),
            None => out.extend_from_slice(&[0; STORAGE_ID_LEN]),
        }
    }
}

impl Kind<StorageId> for Id16 {
    const LEN: usize = STORAGE_ID_LEN;
    fn read(reader: &mut Reader<'_>) -> Result<StorageId, DecodeError> {
        let id: Option<StorageId> = <Id16 as Kind<Option<StorageId>>>::read(reader)?;
        id.ok_or_else(|| reader.fail(Why::Text))
    }
    fn write(value: &StorageId, out: &mut Vec<u8>) {
        out.extend_from_slice(value.field());
    }
}

impl Kind<IpText> for Ip46 {
    const LEN: usize = IP_TEXT_LEN;
    fn read(reader: &mut Reader<'_>) -> Result<IpText, DecodeError> {
        reader.take(IP_TEXT_LEN).map(IpText::from_field)
    }
    fn write(value: &IpText, out: &mut Vec<u8>) {
        value.put(out, IP_TEXT_LEN);
    }
}

impl<const N: usize> Kind<FixedText<N>> for Text {
    const LEN: usize = N;
    fn read(reader: &mut Reader<'_>) -> Result<FixedText<N>, DecodeError> {
        reader.take(N).map(FixedText::from_field)
    }
    fn write(value: &FixedText<N>, out: &mut Vec<u8>) {
        out.extend_from_slice(value.field());
    }
}

impl Kind<StorageStatus> for Status1 {
    const LEN: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<StorageStatus, DecodeError> {
        StorageStatus::from_u8(reader.u8()?).ok_or_else(|| reader.fail(Why::Range))
    }
    fn write(value: &StorageStatus, out: &mut Vec<u8>) {
        out.push(value.code());
    }
}

impl Kind<Option<StorageStatus>> for Status1OrNone {
    const LEN: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<Option<StorageStatus>, DecodeError> {
        match reader.u8()? {
            0x80.. => Ok(None),
            code => StorageStatus::from_u8(code).map(Some).ok_or_else(|| reader.fail(Why::Range)),
        }
    }
    fn write(value: &Option<StorageStatus>, out: &mut Vec<u8>) {
        out.push(value.map_or(0xFF, StorageStatus::code));
    }
}

impl Kind<RwMode> for RwMode1 {
    const LEN: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<RwMode, DecodeError> {
        RwMode::from_u8(reader.u8()?).ok_or_else(|| reader.fail(Why::Range))
    }
    fn write(value: &RwMode, out: &mut Vec<u8>) {
        out.push(value.code());
    }
}
