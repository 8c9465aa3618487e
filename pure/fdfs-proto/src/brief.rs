//! The short description of a server that change lists and status reports are made of.

use crate::record::{Id16, Ip46, Port4, Status1, record};
use crate::{IpText, StorageId, StorageStatus};

record! {
    /// One server in a change list, a status query or a status report: 67 bytes.
    ///
    /// In a change list the same layout also names the leading tracker and the trunk server. All zero means
    /// "none"; then the id is `None`. Source: wire protocol, "the change list".
    #[derive(Hash)]
    pub struct Brief as "brief" {
        /// The status; 0 (INIT) where the record stands for a tracker or for nobody.
        status: StorageStatus => Status1,
        /// The service port.
        port: u16 => Port4,
        /// The storage's id; for a tracker its address cut to 15 characters.
        id: Option<StorageId> => Id16,
        /// The address, 46 bytes whatever the cluster's address width.
        ip: IpText => Ip46,
    }
}

impl Brief {
    /// "There is none": all zero.
    pub const NOBODY: Brief = Brief { status: StorageStatus::Init, port: 0, id: None, ip: IpText::EMPTY };
}
