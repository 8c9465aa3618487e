//! What the handlers refuse with, in groups: for their descriptions.

use std::time::Duration;

use drive_core::account::{PasswordFault, UserNameFault};
use drive_core::node::NameFault;
use drive_core::session::Scope;
use drive_core::{ByteCount, Missing, Part, Problem};

use crate::refusal::{
    BODY_BROKE, BODY_LATE, FIELD_REPEATED, FORM_INVALID, METHOD_UNKNOWN, NOT_A_FORM, NOT_OCTETS,
    RANGE_MISSING, Refused, TUS_BUSY, TUS_CHECKSUM_DIFFERS, TUS_NO_ROOM, TUS_VERSION_UNKNOWN,
    VERSION_DIFFERS,
};

const fn of(problem: &Problem) -> Refused {
    Refused::of(problem)
}

const fn missing(what: Missing) -> Refused {
    Refused::of(&Problem::NotFound(what))
}

const FIELD: Refused = of(&Problem::FieldInvalid(""));
const RETRY: Duration = Duration::ZERO;

/// Programs need a scope.
pub(super) const SCOPED: &[Refused] = &[of(&Problem::ScopeMissing(Scope::Read))];
/// Persons only.
pub(super) const PERSON: &[Refused] = &[of(&Problem::NotAllowed)];
/// Administrators only, and their programs with the scope.
pub(super) const ADMIN: &[Refused] = &[of(&Problem::NotAllowed), of(&Problem::ScopeMissing(Scope::Admin))];
/// A token that has ended, where none is needed.
pub(super) const TOKEN: &[Refused] = &[of(&Problem::SessionEnded), FROZEN];
const FROZEN: Refused = of(&Problem::AccountFrozen);

/// A field is not as it must be.
pub(super) const FIELDS: &[Refused] = &[FIELD];
/// A page of a list.
pub(super) const PAGE: &[Refused] = &[FIELD, of(&Problem::CursorInvalid)];

/// What is not there.
pub(super) const NO_ACCOUNT: &[Refused] = &[missing(Missing::Account)];
pub(super) const NO_NODE: &[Refused] = &[missing(Missing::Node)];
pub(super) const NO_TRASH: &[Refused] = &[missing(Missing::TrashEntry)];
pub(super) const NO_SHARE: &[Refused] = &[missing(Missing::Share)];
pub(super) const NO_SESSION: &[Refused] = &[missing(Missing::Session)];
pub(super) const NO_TOKEN: &[Refused] = &[missing(Missing::ApiToken)];

/// The queue has to answer.
pub(super) const QUEUE: &[Refused] = &[of(&Problem::Unavailable(Part::Queue))];

/// Accounts and passwords.
pub(super) const CLOSED: &[Refused] = &[of(&Problem::RegistrationClosed)];
pub(super) const USER_NAME: &[Refused] =
    &[of(&Problem::UserNameInvalid(UserNameFault::Length)), of(&Problem::UserNameTaken)];
pub(super) const NEW_PASSWORD: &[Refused] = &[of(&Problem::PasswordRefused(PasswordFault::Common))];
/// A password that is compared.
pub(super) const PASSWORD: &[Refused] = &[
    of(&Problem::PasswordRefused(PasswordFault::TooLong)),
    of(&Problem::SignInFailed),
    of(&Problem::TooManyAttempts { retry_after: RETRY }),
];
pub(super) const FROZEN_ACCOUNT: &[Refused] = &[FROZEN];
pub(super) const LAST_ADMINISTRATOR: &[Refused] = &[of(&Problem::LastAdministrator)];

/// A node comes into a folder under a name.
pub(super) const PLACE: &[Refused] = &[
    of(&Problem::NameInvalid(NameFault::Empty)),
    missing(Missing::Node),
    of(&Problem::NotAFolder),
    of(&Problem::NameTaken),
    of(&Problem::KindDiffers),
    of(&Problem::TooDeep),
    of(&Problem::TooManyNodes),
    of(&Problem::TooManyCopies),
];
/// The account stores more.
pub(super) const MORE: &[Refused] = &[of(&Problem::QuotaExceeded), of(&Problem::TooManyNodes)];
pub(super) const NOT_A_FOLDER: &[Refused] = &[of(&Problem::NotAFolder)];
/// A node goes elsewhere.
pub(super) const INTO: &[Refused] = &[of(&Problem::IntoItself), of(&Problem::ReplacesItsOwnFolder)];
pub(super) const ROOT: &[Refused] = &[of(&Problem::RootStays)];
pub(super) const NODES: &[Refused] = &[of(&Problem::TooManyNodes)];

/// A file is larger than it may be.
pub(super) const SIZE: &[Refused] = &[of(&Problem::FileTooLarge { limit: ByteCount::ZERO })];
/// Bytes that come.
pub(super) const SENT: &[Refused] = &[
    BODY_BROKE,
    BODY_LATE,
    of(&Problem::FileTooLarge { limit: ByteCount::ZERO }),
    of(&Problem::Unavailable(Part::BlobStore)),
];
pub(super) const DIGEST: &[Refused] = &[FIELD, of(&Problem::ChecksumDiffers)];
pub(super) const FORM: &[Refused] = &[NOT_A_FORM, FORM_INVALID, of(&Problem::FieldMissing("file"))];
/// Bytes that go.
pub(super) const CONTENT: &[Refused] = &[
    of(&Problem::NotAFile),
    FIELD_REPEATED,
    VERSION_DIFFERS,
    RANGE_MISSING,
    of(&Problem::Unavailable(Part::BlobStore)),
];

/// A small picture.
pub(super) const THUMBNAIL: &[Refused] = &[
    FIELD,
    of(&Problem::NotAFile),
    of(&Problem::NoThumbnail),
    FIELD_REPEATED,
    of(&Problem::RateLimited { retry_after: RETRY }),
    of(&Problem::Unavailable(Part::BlobStore)),
];

/// A content that may be there.
pub(super) const UNKNOWN: &[Refused] = &[of(&Problem::ContentUnknown)];

/// Uploads that are resumed: the protocol, one that is there, bytes of it.
pub(super) const TUS: &[Refused] = &[TUS_VERSION_UNKNOWN];
pub(super) const NO_UPLOAD: &[Refused] = &[missing(Missing::Upload)];
pub(super) const OVER: &[Refused] = &[of(&Problem::UploadExpired)];
pub(super) const OCTETS: &[Refused] = &[
    FIELD,
    of(&Problem::FieldMissing("")),
    NOT_OCTETS,
    TUS_BUSY,
    TUS_CHECKSUM_DIFFERS,
    TUS_NO_ROOM,
    of(&Problem::ChecksumDiffers),
    of(&Problem::OffsetDiffers { expected: ByteCount::ZERO }),
    of(&Problem::UploadEnded),
    of(&Problem::UploadIncomplete),
    of(&Problem::Unavailable(Part::BlobStore)),
];
pub(super) const OVERRIDE: &[Refused] = &[METHOD_UNKNOWN];

/// An archive.
pub(super) const NAMED: &[Refused] = &[of(&Problem::NameInvalid(NameFault::Empty))];
pub(super) const ARCHIVE: &[Refused] = &[
    of(&Problem::TooManyNodes),
    of(&Problem::RateLimited { retry_after: RETRY }),
    of(&Problem::Unavailable(Part::BlobStore)),
];

/// What a link may be.
pub(super) const TERMS: &[Refused] = &[FIELD, of(&Problem::ShareTermsInvalid(""))];
pub(super) const PICTURE: &[Refused] = &[of(&Problem::NotAPicture)];
pub(super) const MANY: &[Refused] = &[of(&Problem::TooManyOf(""))];
pub(super) const REVOKED: &[Refused] = &[of(&Problem::ShareRevoked)];
/// The gate of links.
pub(super) const GATE: &[Refused] = &[
    missing(Missing::Share),
    of(&Problem::CodeNeeded),
    of(&Problem::ShareRevoked),
    of(&Problem::ShareExpired),
    of(&Problem::ShareUnavailable),
];
pub(super) const CODE: &[Refused] =
    &[of(&Problem::CodeWrong), of(&Problem::TooManyAttempts { retry_after: RETRY })];
/// Who saves has to be signed in, to write.
pub(super) const SAVER: &[Refused] = &[of(&Problem::SignInNeeded), of(&Problem::ScopeMissing(Scope::Write))];
pub(super) const USED_UP: &[Refused] = &[of(&Problem::ShareUsedUp)];
