//! Which storage this is: group, id, addresses, and what goes into the names of its files.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use fdfs_conf::StorageIds;
use fdfs_fileid::{GroupName, Source};
use fdfs_proto::tracker::parameters::{IdType, Parameters};
use fdfs_proto::{Host, StorageId};
use thiserror::Error;

use super::{Membership, TrackerIndex};

/// Who this storage is in its cluster. It does not change while the process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its group.
    pub group: GroupName,
    /// Its storage id: a number when storage ids are used, otherwise its address as text (a short code for
    /// IPv6).
    pub id: StorageId,
    /// What the names of its files carry.
    pub source: Source,
    /// Its addresses as the trackers see them.
    pub ips: OwnIps,
    /// Its port.
    pub port: u16,
}

/// One address, or an inner and an outer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnIps {
    /// The only, or inner, address.
    pub first: IpAddr,
    /// The outer address.
    pub second: Option<IpAddr>,
}

impl OwnIps {
    fn iter(self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(self.first).chain(self.second)
    }
}

impl fmt::Display for OwnIps {
    /// `a` or `a,b`, as `.data_init_flag` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.second.map_or(Ok(()), |second| write!(f, ",{second}"))
    }
}

/// What a link has to ask before this storage can join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The group that belongs to this storage's address and this port.
    Group(u16),
    /// The addresses of this storage, of this group and port.
    OwnIps(GroupName, u16),
    /// The cluster's parameters.
    Parameters,
    /// The storage ids.
    StorageIds,
    /// The id that belongs to this address.
    ServerId(GroupName, Host),
    /// Nothing, the identity is known.
    Nothing,
}

/// The configuration and the cluster's storage ids do not fit together; somebody has to edit one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdentityProblem {
    /// `server_id` is not in `storage_ids.conf`.
    #[error("server_id {0} is not in the cluster's storage_ids.conf")]
    IdNotListed(u32),
    /// `server_id` is there, in another group.
    #[error("server_id {id} belongs to {group} in the cluster's storage_ids.conf")]
    OtherGroup {
        /// The configured id.
        id: u32,
        /// The group it is listed in.
        group: GroupName,
    },
    /// The tracker gave an id that cannot be one.
    #[error("the tracker gave the id {0}, which is not a number from 1 to 16777215")]
    NotANumber(StorageId),
}

impl Membership {
    /// Who this storage is, once that is known.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// What to ask a tracker next so that the identity becomes known; what needs no question is decided here.
    pub fn wanted(&mut self) -> Result<Wanted, IdentityProblem> {
        if self.identity.is_some() {
            return Ok(Wanted::Nothing);
        }
        let Some(group) = self.group else {
            return Ok(Wanted::Group(self.settings.port));
        };
        let Some(ips) = self.own_ips else {
            return Ok(Wanted::OwnIps(group, self.settings.port));
        };
        let Some(parameters) = self.parameters else { return Ok(Wanted::Parameters) };
        let own_host = Host::new(ips.first, self.settings.port);
        if !parameters.use_storage_id {
            // The id of an IPv6 address is a code that only the tracker can make.
            return match StorageId::new(ips.first.to_string().as_bytes()).filter(|_| ips.first.is_ipv4()) {
                Some(id) => {
                    self.identify(group, ips, id, Source::from_addr(ips.first));
                    Ok(Wanted::Nothing)
                }
                None => Ok(Wanted::ServerId(group, own_host)),
            };
        }
        let Some(ids) = self.ids.clone() else { return Ok(Wanted::StorageIds) };
        match self.find_own_id(&ids, &parameters, group, ips)? {
            Some(number) => {
                self.identify_by_number(group, ips, &parameters, number)?;
                Ok(Wanted::Nothing)
            }
            None => Ok(Wanted::ServerId(group, own_host)),
        }
    }

    /// The own number as far as it needs no question: as configured, or by address.
    fn find_own_id(
        &self,
        ids: &StorageIds,
        parameters: &Parameters,
        group: GroupName,
        ips: OwnIps,
    ) -> Result<Option<u32>, IdentityProblem> {
        if !parameters.trust_storage_server_id {
            return Ok(None);
        }
        if let Some(id) = self.settings.server_id {
            let entry = ids.by_id(id).ok_or(IdentityProblem::IdNotListed(id))?;
            if entry.group != group {
                return Err(IdentityProblem::OtherGroup { id, group: entry.group });
            }
            return Ok(Some(id));
        }
        let mut candidates = ips.iter().chain(self.settings.local_ips.iter().copied());
        Ok(candidates
            .find_map(|ip| ids.by_group_and_addr(&group, ip, self.settings.port))
            .map(|entry| entry.id))
    }

    fn identify_by_number(
        &mut self,
        group: GroupName,
        ips: OwnIps,
        parameters: &Parameters,
        number: u32,
    ) -> Result<(), IdentityProblem> {
        let Some(id) = StorageId::new(number.to_string().as_bytes()) else {
            return Err(IdentityProblem::IdNotListed(number));
        };
        let source = match parameters.id_type_in_filename {
            IdType::Id => Source::Id(number),
            IdType::Ip => Source::from_addr(ips.first),
        };
        self.identify(group, ips, id, source);
        Ok(())
    }

    fn identify(&mut self, group: GroupName, ips: OwnIps, id: StorageId, source: Source) {
        let port = self.settings.port;
        self.identity = Some(Arc::new(Identity { group, id, source, ips, port }));
        self.touch();
        if !self.ip_change_to_report() {
            self.note_address();
        }
    }

    /// A link failed. As long as this storage does not know who it is, what it was told may be the reason:
    /// it asks anew, so that a corrected `storage_ids.conf` helps without a restart.
    pub(crate) fn forget_unless_identified(&mut self) {
        if self.identity.is_none() {
            self.group = self.settings.group;
            self.parameters = None;
            self.ids = None;
            self.own_ips = None;
            self.touch();
        }
    }

    /// A tracker named the group.
    pub(crate) fn group_found(&mut self, group: GroupName) {
        self.group.get_or_insert(group);
        self.touch();
    }

    /// A tracker named the addresses of this storage.
    pub(crate) fn own_ips_found(&mut self, ips: OwnIps) {
        self.own_ips.get_or_insert(ips);
        self.touch();
    }

    /// A tracker named the parameters. The first answer counts until the process ends: what names carry
    /// must not change under way.
    pub(crate) fn parameters_found(&mut self, parameters: Parameters) {
        self.parameters.get_or_insert(parameters);
        self.touch();
    }

    /// A tracker sent all storage ids.
    pub(crate) fn ids_found(&mut self, ids: StorageIds) {
        self.ids.get_or_insert_with(|| Arc::new(ids));
        self.touch();
    }

    /// A tracker answered [`Wanted::ServerId`].
    pub(crate) fn server_id_found(&mut self, id: StorageId) -> Result<(), IdentityProblem> {
        let (None, Some(group), Some(ips), Some(parameters)) =
            (&self.identity, self.group, self.own_ips, self.parameters)
        else {
            return Ok(());
        };
        if parameters.use_storage_id {
            let number = fdfs_conf::storage_ids::parse_storage_id(id.as_str())
                .ok_or(IdentityProblem::NotANumber(id))?;
            return self.identify_by_number(group, ips, &parameters, number);
        }
        self.identify(group, ips, id, Source::from_addr(ips.first));
        Ok(())
    }

    /// Whether the trackers must learn that this storage has another address than in its last run (wire
    /// protocol: REPORT_IP_CHANGED). Only without storage ids, and when the cluster follows such changes.
    fn ip_change_to_report(&self) -> bool {
        let follows = self.parameters.is_some_and(|parameters| {
            parameters.storage_ip_changed_auto_adjust && !parameters.use_storage_id
        });
        let now = self.identity.as_ref().map(|me| me.ips.to_string()).unwrap_or_default();
        follows && !self.record.last_ips.is_empty() && self.record.last_ips != now
    }

    /// The old and the new address that `tracker` has not been told yet.
    pub(crate) fn ip_change_for(&self, tracker: TrackerIndex) -> Option<(IpAddr, IpAddr)> {
        if !self.ip_change_to_report() || self.link(tracker)?.told_new_ip {
            return None;
        }
        // What cannot be read cannot be reported either; the record is then simply brought up to date.
        let old = self.record.last_ips.split(',').next()?.parse().ok()?;
        Some((old, self.identity.as_ref()?.ips.first))
    }

    /// `tracker` knows the new address. When all do, the record follows.
    pub(crate) fn ip_change_told(&mut self, tracker: TrackerIndex) {
        if let Some(link) = self.link_mut(tracker) {
            link.told_new_ip = true;
        }
        if self.links.iter().all(|link| link.told_new_ip) {
            self.note_address();
        }
    }

    fn note_address(&mut self) {
        let Some(me) = self.identity.clone() else { return };
        self.change_record(|record| {
            record.last_ips = me.ips.to_string();
            record.last_port = Some(me.port);
        });
    }
}
