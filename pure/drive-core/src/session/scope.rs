//! What an API token may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One kind of thing that a token may do. In the database as a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// List, search, download.
    Read,
    /// Upload, make folders, rename, move, copy, delete, restore.
    Write,
    /// Make, change and end links.
    Share,
    /// What an administrator may do; only if the owner is one.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Share, Self::Admin];

    /// As APIs spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Share => "share",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Share => 4,
            Self::Admin => 8,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a token may do, all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// These.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Is it one of them?
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// None?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// As the database holds them.
    pub const fn to_db(self) -> i16 {
        self.0 as i16
    }

    /// From the database. None when there is a bit that is no scope.
    pub fn from_db(bits: i16) -> Option<Self> {
        let scopes = Self(u8::try_from(bits).ok()?);
        (scopes.0 & !Self::of(&Scope::ALL).0 == 0).then_some(scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_bits_of_one_number() {
        for (scopes, bits) in
            [(&[][..], 0), (&[Scope::Read], 1), (&[Scope::Read, Scope::Share], 5), (&Scope::ALL, 15)]
        {
            let set = Scopes::of(scopes);
            assert_eq!(set.to_db(), bits);
            assert_eq!(Scopes::from_db(bits), Some(set));
            assert_eq!(set.iter().collect::<Vec<_>>(), scopes);
            assert_eq!(set.is_empty(), scopes.is_empty());
        }
        assert_eq!(Scopes::from_db(16), None);
        assert_eq!(Scopes::from_db(-1), None);
    }
}
