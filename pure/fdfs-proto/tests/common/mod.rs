//! Values as they may stand in a message, for property tests.

#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::IpAddr;

use fdfs_fileid::{GroupName, StorePathIndex};
use fdfs_proto::tracker::Server;
use fdfs_proto::{
    AddrWidth, Brief, FixedText, GroupField, Host, IpText, RwMode, StatBlock, StorageId, StorageStatus,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes without a NUL.
pub(crate) fn text(len: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, len)
}

pub(crate) fn fixed<const N: usize>() -> impl Strategy<Value = FixedText<N>> {
    text(0..=N).prop_map(|text| FixedText::new(&text).unwrap())
}

pub(crate) fn group() -> impl Strategy<Value = GroupName> {
    "[A-Za-z0-9]{1,16}".prop_map(|text| GroupName::parse(text.as_bytes()).unwrap())
}

pub(crate) fn group_field() -> impl Strategy<Value = GroupField> {
    text(0..=16).prop_map(|text| GroupField::from_field(&text))
}

pub(crate) fn id() -> impl Strategy<Value = StorageId> {
    "[A-Za-z0-9.:_+=-]{1,15}".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn maybe_id() -> impl Strategy<Value = Option<StorageId>> {
    option::of(id())
}

pub(crate) fn ip() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>()
}

pub(crate) fn ip_text() -> impl Strategy<Value = IpText> {
    prop_oneof![
        Just(IpText::EMPTY),
        ip().prop_map(IpText::from),
        text(1..=46).prop_map(|t| IpText::from_field(&t))
    ]
}

pub(crate) fn host() -> impl Strategy<Value = Host> {
    (ip(), option::of(ip()), 1..=u16::MAX).prop_map(|(ip, second, port)| Host { ip, second, port })
}

pub(crate) fn plain_host() -> impl Strategy<Value = Host> {
    (ip(), 1..=u16::MAX).prop_map(|(ip, port)| Host::new(ip, port))
}

pub(crate) fn status() -> impl Strategy<Value = StorageStatus> {
    select(StorageStatus::ALL.to_vec())
}

pub(crate) fn rw_mode() -> impl Strategy<Value = RwMode> {
    select(vec![RwMode::None, RwMode::Read, RwMode::Write, RwMode::Both])
}

pub(crate) fn path() -> impl Strategy<Value = StorePathIndex> {
    any::<u8>().prop_map(StorePathIndex)
}

/// What eight bytes can count.
pub(crate) fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..=i64::MAX as u64]
}

pub(crate) fn width() -> impl Strategy<Value = AddrWidth> {
    select(AddrWidth::BOTH.to_vec())
}

/// A server whose address fits the width.
pub(crate) fn server(width: AddrWidth) -> impl Strategy<Value = Server> {
    let ip = match width {
        AddrWidth::V4 => any::<std::net::Ipv4Addr>().prop_map(|ip| IpText::from(IpAddr::from(ip))).boxed(),
        AddrWidth::V6 => ip().prop_map(IpText::from).boxed(),
    };
    (ip, any::<u16>()).prop_map(|(ip, port)| Server { ip, port })
}

pub(crate) fn brief() -> impl Strategy<Value = Brief> {
    (status(), any::<u16>(), maybe_id(), ip_text()).prop_map(|(status, port, id, ip)| Brief {
        status,
        port,
        id,
        ip,
    })
}

/// Any 348 bytes are counters.
pub(crate) fn stat_block() -> impl Strategy<Value = StatBlock> {
    vec(any::<u8>(), StatBlock::LEN).prop_map(|bytes| StatBlock::decode(&bytes).unwrap())
}
