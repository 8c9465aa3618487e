//! Everything that can be answered other than "done".
//!
//! [`Problem::code`] is what programs compare: part of the API, the last segment of `type` in problem+json (RFC
//! 9457), never changed, never reused. The text behind it is for logs; words for people are made in the web page, in
//! their language. Each door has one exhaustive function that turns a `Problem` into its own words: HTTP status, or a
//! code of the old dialect ([`crate::dialect::code`]).

use std::time::Duration;

use crate::account::{PasswordFault, UserNameFault};
use crate::node::NameFault;
use crate::session::Scope;
use crate::size::ByteCount;

/// Something that is looked up and is not there, or not for the caller: both look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// An account.
    Account,
    /// A folder or file.
    Node,
    /// Something in the trash.
    TrashEntry,
    /// A link.
    Share,
    /// An upload.
    Upload,
    /// A session.
    Session,
    /// An API token.
    ApiToken,
}

/// A part of the system that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The SQL database.
    Database,
    /// The store of bytes.
    BlobStore,
    /// The durable queue, when the database is away, too.
    Queue,
}

/// What kind of answer a problem is. HTTP makes its status of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request makes no sense.
    Invalid,
    /// Nobody is signed in, or not any more.
    Unauthenticated,
    /// The caller may not.
    Forbidden,
    /// There is no such thing, for this caller.
    Missing,
    /// It does not go together with what is there.
    Conflict,
    /// It was there and will not come back.
    Gone,
    /// A named limit is in the way.
    TooLarge,
    /// Later.
    TooMany,
    /// There is no room for it.
    NoRoom,
    /// A part does not answer; the same request may succeed later.
    Unavailable,
    /// Ours. Nothing was changed.
    Fault,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    // What was sent.
    /// A field that must be there is not.
    #[error("{0} is missing")]
    FieldMissing(&'static str),
    /// A field is not what it must be: type, length or form.
    #[error("{0} is not valid")]
    FieldInvalid(&'static str),
    /// No name for a folder or file.
    #[error("not a name: {0}")]
    NameInvalid(NameFault),
    /// No name for an account.
    #[error("not a user name: {0}")]
    UserNameInvalid(UserNameFault),
    /// A password that is not taken.
    #[error("not a password: {0}")]
    PasswordRefused(PasswordFault),
    /// The terms of a link contradict the rules.
    #[error("not terms of a link: {0}")]
    ShareTermsInvalid(&'static str),
    /// A cursor that was not made here, or for another list.
    #[error("not a cursor of this list")]
    CursorInvalid,
    /// The bytes are not what their checksum or digest says.
    #[error("the bytes differ from their checksum")]
    ChecksumDiffers,

    // Who asks.
    /// Somebody has to be signed in for this.
    #[error("nobody is signed in")]
    SignInNeeded,
    /// Name and password do not belong together. The same for names that nobody has.
    #[error("wrong user name or password")]
    SignInFailed,
    /// The session or token has ended or never was.
    #[error("the session has ended")]
    SessionEnded,
    /// An administrator has frozen the account.
    #[error("the account is frozen")]
    AccountFrozen,
    /// A token lacks a scope.
    #[error("the token lacks the scope {0}")]
    ScopeMissing(Scope),
    /// Not for this caller.
    #[error("not allowed")]
    NotAllowed,
    /// New accounts are made by an administrator only.
    #[error("registration is closed")]
    RegistrationClosed,

    // What there is.
    /// There is none, or none that the caller may know of.
    #[error("no such {0:?}")]
    NotFound(Missing),
    /// Somebody has this user name.
    #[error("the user name is taken")]
    UserNameTaken,
    /// The folder has a node of this name.
    #[error("the name is taken")]
    NameTaken,
    /// A file would replace a folder, or the other way round.
    #[error("a file and a folder do not replace each other")]
    KindDiffers,
    /// A folder would get into itself.
    #[error("a folder can't go into itself")]
    IntoItself,
    /// What would be replaced is a folder that the moved node is in.
    #[error("a node can't replace a folder that it is in")]
    ReplacesItsOwnFolder,
    /// The root folder can't be renamed, moved, deleted or shared as a file.
    #[error("the root folder stays as it is")]
    RootStays,
    /// Something is to be put into a file.
    #[error("not a folder")]
    NotAFolder,
    /// The bytes of a folder are asked for.
    #[error("not a file")]
    NotAFile,
    /// Not a picture that a picture link may show.
    #[error("not a picture")]
    NotAPicture,
    /// No picture of which a smaller one can be made.
    #[error("there is no thumbnail of it")]
    NoThumbnail,
    /// The user has this content under this name.
    #[error("already in the drive under this name")]
    AlreadyOwned,
    /// The user shares this content under this name.
    #[error("already shared")]
    AlreadyShared,
    /// It would leave nobody to administer the drive.
    #[error("the last administrator stays")]
    LastAdministrator,
    /// An upload goes on at another offset.
    #[error("the upload goes on at {expected}")]
    OffsetDiffers {
        /// The offset to go on at.
        expected: ByteCount,
    },
    /// Another request is writing this upload.
    #[error("another request is writing this upload")]
    UploadBusy,
    /// The upload has not got all of its bytes.
    #[error("the upload is not complete")]
    UploadIncomplete,
    /// The upload has been committed or given up.
    #[error("the upload has ended")]
    UploadEnded,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    IdempotencyKeyReused,
    /// The request with this idempotency key is still being answered.
    #[error("the request with this idempotency key is still being answered")]
    IdempotencyInProgress,
    /// Content that the server does not have or will not give for the proof that was sent; which of the two is not
    /// told.
    #[error("the content has to be uploaded")]
    ContentUnknown,

    // Limits.
    /// Folders in folders, too many.
    #[error("too deep")]
    TooDeep,
    /// Too many nodes for one step.
    #[error("too many nodes at once")]
    TooManyNodes,
    /// Too many names of this family in the folder.
    #[error("too many copies of this name")]
    TooManyCopies,
    /// As many as the account may have.
    #[error("too many {0}")]
    TooManyOf(&'static str),
    /// Larger than a file may be.
    #[error("larger than {limit} bytes")]
    FileTooLarge {
        /// The most a file may have.
        limit: ByteCount,
    },
    /// The account's quota is used up.
    #[error("over the quota")]
    QuotaExceeded,

    // Links and uploads that are over.
    /// Too old to go on with.
    #[error("the upload has expired")]
    UploadExpired,
    /// The link wants its code.
    #[error("the link has a code")]
    CodeNeeded,
    /// Not this link's code.
    #[error("not the link's code")]
    CodeWrong,
    /// The owner has taken the link back.
    #[error("the link was taken back")]
    ShareRevoked,
    /// The link's time is over.
    #[error("the link has expired")]
    ShareExpired,
    /// The link has been used as often as it may be.
    #[error("the link has been used up")]
    ShareUsedUp,
    /// What the link led to is not there (any more), or its owner is frozen; which is not told.
    #[error("the link leads nowhere at present")]
    ShareUnavailable,

    // Later.
    /// Too many wrong attempts.
    #[error("too many attempts")]
    TooManyAttempts {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Too many requests.
    #[error("too many requests")]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// A part does not answer.
    #[error("{0:?} does not answer")]
    Unavailable(Part),
    /// What is stored contradicts itself: a bug, or somebody changed the database. Nothing was done.
    #[error("stored data contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl Problem {
    /// The stable name that programs compare.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FieldMissing(_) => "field-missing",
            Self::FieldInvalid(_) => "field-invalid",
            Self::NameInvalid(_) => "name-invalid",
            Self::UserNameInvalid(_) => "user-name-invalid",
            Self::PasswordRefused(_) => "password-refused",
            Self::ShareTermsInvalid(_) => "share-terms-invalid",
            Self::CursorInvalid => "cursor-invalid",
            Self::ChecksumDiffers => "checksum-differs",
            Self::SignInNeeded => "sign-in-needed",
            Self::SignInFailed => "sign-in-failed",
            Self::SessionEnded => "session-ended",
            Self::AccountFrozen => "account-frozen",
            Self::ScopeMissing(_) => "scope-missing",
            Self::NotAllowed => "not-allowed",
            Self::RegistrationClosed => "registration-closed",
            Self::NotFound(missing) => match missing {
                Missing::Account => "account-not-found",
                Missing::Node => "node-not-found",
                Missing::TrashEntry => "trash-entry-not-found",
                Missing::Share => "share-not-found",
                Missing::Upload => "upload-not-found",
                Missing::Session => "session-not-found",
                Missing::ApiToken => "api-token-not-found",
            },
            Self::UserNameTaken => "user-name-taken",
            Self::NameTaken => "name-taken",
            Self::KindDiffers => "kind-differs",
            Self::IntoItself => "into-itself",
            Self::ReplacesItsOwnFolder => "replaces-its-own-folder",
            Self::RootStays => "root-stays",
            Self::NotAFolder => "not-a-folder",
            Self::NotAFile => "not-a-file",
            Self::NotAPicture => "not-a-picture",
            Self::NoThumbnail => "no-thumbnail",
            Self::AlreadyOwned => "already-owned",
            Self::AlreadyShared => "already-shared",
            Self::LastAdministrator => "last-administrator",
            Self::OffsetDiffers { .. } => "offset-differs",
            Self::UploadBusy => "upload-busy",
            Self::UploadIncomplete => "upload-incomplete",
            Self::UploadEnded => "upload-ended",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::IdempotencyInProgress => "idempotency-in-progress",
            Self::ContentUnknown => "content-unknown",
            Self::TooDeep => "too-deep",
            Self::TooManyNodes => "too-many-nodes",
            Self::TooManyCopies => "too-many-copies",
            Self::TooManyOf(_) => "too-many-of-these",
            Self::FileTooLarge { .. } => "file-too-large",
            Self::QuotaExceeded => "quota-exceeded",
            Self::UploadExpired => "upload-expired",
            Self::CodeNeeded => "share-code-needed",
            Self::CodeWrong => "share-code-wrong",
            Self::ShareRevoked => "share-revoked",
            Self::ShareExpired => "share-expired",
            Self::ShareUsedUp => "share-used-up",
            Self::ShareUnavailable => "share-unavailable",
            Self::TooManyAttempts { .. } => "too-many-attempts",
            Self::RateLimited { .. } => "rate-limited",
            Self::Unavailable(part) => match part {
                Part::Database => "database-unavailable",
                Part::BlobStore => "blob-store-unavailable",
                Part::Queue => "queue-unavailable",
            },
            Self::Contradiction(_) => "contradiction",
        }
    }

    /// What kind of answer it is.
    pub const fn class(&self) -> Class {
        match self {
            Self::FieldMissing(_)
            | Self::FieldInvalid(_)
            | Self::NameInvalid(_)
            | Self::UserNameInvalid(_)
            | Self::PasswordRefused(_)
            | Self::ShareTermsInvalid(_)
            | Self::CursorInvalid
            | Self::ChecksumDiffers => Class::Invalid,
            Self::SignInNeeded | Self::SignInFailed | Self::SessionEnded | Self::CodeNeeded => {
                Class::Unauthenticated
            }
            Self::AccountFrozen
            | Self::ScopeMissing(_)
            | Self::NotAllowed
            | Self::RegistrationClosed
            | Self::CodeWrong => Class::Forbidden,
            Self::NotFound(_) | Self::NoThumbnail | Self::ContentUnknown => Class::Missing,
            Self::UserNameTaken
            | Self::NameTaken
            | Self::KindDiffers
            | Self::IntoItself
            | Self::ReplacesItsOwnFolder
            | Self::RootStays
            | Self::NotAFolder
            | Self::NotAFile
            | Self::NotAPicture
            | Self::AlreadyOwned
            | Self::AlreadyShared
            | Self::LastAdministrator
            | Self::OffsetDiffers { .. }
            | Self::UploadBusy
            | Self::UploadIncomplete
            | Self::IdempotencyKeyReused
            | Self::IdempotencyInProgress => Class::Conflict,
            Self::UploadEnded
            | Self::UploadExpired
            | Self::ShareRevoked
            | Self::ShareExpired
            | Self::ShareUsedUp
            | Self::ShareUnavailable => Class::Gone,
            Self::TooDeep
            | Self::TooManyNodes
            | Self::TooManyCopies
            | Self::TooManyOf(_)
            | Self::FileTooLarge { .. } => Class::TooLarge,
            Self::QuotaExceeded => Class::NoRoom,
            Self::TooManyAttempts { .. } | Self::RateLimited { .. } => Class::TooMany,
            Self::Unavailable(_) => Class::Unavailable,
            Self::Contradiction(_) => Class::Fault,
        }
    }

    /// The problem that this code names, of those that a record of the queue can be refused by
    /// ([`crate::queue::Outcome::Refused`]): what it says besides its code is not kept.
    pub fn of_refused_record(code: &str) -> Self {
        let all = [
            Self::UserNameTaken,
            Self::NameTaken,
            Self::KindDiffers,
            Self::NotAFolder,
            Self::NotFound(Missing::Account),
            Self::NotFound(Missing::Node),
            Self::AccountFrozen,
            Self::TooDeep,
            Self::TooManyNodes,
            Self::TooManyCopies,
            Self::QuotaExceeded,
        ];
        let named = all.into_iter().find(|problem| problem.code() == code);
        named.unwrap_or(Self::Contradiction("a record was refused for a reason that is not known"))
    }

    /// How long to wait before asking again, when that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } | Self::RateLimited { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every problem that there is, with what programs compare. Codes never change: this table only grows.
    fn table() -> Vec<(Problem, &'static str, Class)> {
        use Class as C;
        let wait = Duration::from_secs(3);
        vec![
            (Problem::FieldMissing("x"), "field-missing", C::Invalid),
            (Problem::FieldInvalid("x"), "field-invalid", C::Invalid),
            (Problem::NameInvalid(NameFault::Empty), "name-invalid", C::Invalid),
            (Problem::UserNameInvalid(UserNameFault::Length), "user-name-invalid", C::Invalid),
            (Problem::PasswordRefused(PasswordFault::Common), "password-refused", C::Invalid),
            (Problem::ShareTermsInvalid("x"), "share-terms-invalid", C::Invalid),
            (Problem::CursorInvalid, "cursor-invalid", C::Invalid),
            (Problem::ChecksumDiffers, "checksum-differs", C::Invalid),
            (Problem::SignInNeeded, "sign-in-needed", C::Unauthenticated),
            (Problem::SignInFailed, "sign-in-failed", C::Unauthenticated),
            (Problem::SessionEnded, "session-ended", C::Unauthenticated),
            (Problem::AccountFrozen, "account-frozen", C::Forbidden),
            (Problem::ScopeMissing(Scope::Read), "scope-missing", C::Forbidden),
            (Problem::NotAllowed, "not-allowed", C::Forbidden),
            (Problem::RegistrationClosed, "registration-closed", C::Forbidden),
            (Problem::NotFound(Missing::Account), "account-not-found", C::Missing),
            (Problem::NotFound(Missing::Node), "node-not-found", C::Missing),
            (Problem::NotFound(Missing::TrashEntry), "trash-entry-not-found", C::Missing),
            (Problem::NotFound(Missing::Share), "share-not-found", C::Missing),
            (Problem::NotFound(Missing::Upload), "upload-not-found", C::Missing),
            (Problem::NotFound(Missing::Session), "session-not-found", C::Missing),
            (Problem::NotFound(Missing::ApiToken), "api-token-not-found", C::Missing),
            (Problem::UserNameTaken, "user-name-taken", C::Conflict),
            (Problem::NameTaken, "name-taken", C::Conflict),
            (Problem::KindDiffers, "kind-differs", C::Conflict),
            (Problem::IntoItself, "into-itself", C::Conflict),
            (Problem::ReplacesItsOwnFolder, "replaces-its-own-folder", C::Conflict),
            (Problem::RootStays, "root-stays", C::Conflict),
            (Problem::NotAFolder, "not-a-folder", C::Conflict),
            (Problem::NotAFile, "not-a-file", C::Conflict),
            (Problem::NotAPicture, "not-a-picture", C::Conflict),
            (Problem::NoThumbnail, "no-thumbnail", C::Missing),
            (Problem::AlreadyOwned, "already-owned", C::Conflict),
            (Problem::AlreadyShared, "already-shared", C::Conflict),
            (Problem::LastAdministrator, "last-administrator", C::Conflict),
            (Problem::OffsetDiffers { expected: ByteCount::ZERO }, "offset-differs", C::Conflict),
            (Problem::UploadBusy, "upload-busy", C::Conflict),
            (Problem::UploadIncomplete, "upload-incomplete", C::Conflict),
            (Problem::UploadEnded, "upload-ended", C::Gone),
            (Problem::IdempotencyKeyReused, "idempotency-key-reused", C::Conflict),
            (Problem::IdempotencyInProgress, "idempotency-in-progress", C::Conflict),
            (Problem::ContentUnknown, "content-unknown", C::Missing),
            (Problem::TooDeep, "too-deep", C::TooLarge),
            (Problem::TooManyNodes, "too-many-nodes", C::TooLarge),
            (Problem::TooManyCopies, "too-many-copies", C::TooLarge),
            (Problem::TooManyOf("x"), "too-many-of-these", C::TooLarge),
            (Problem::FileTooLarge { limit: ByteCount::ZERO }, "file-too-large", C::TooLarge),
            (Problem::QuotaExceeded, "quota-exceeded", C::NoRoom),
            (Problem::UploadExpired, "upload-expired", C::Gone),
            (Problem::CodeNeeded, "share-code-needed", C::Unauthenticated),
            (Problem::CodeWrong, "share-code-wrong", C::Forbidden),
            (Problem::ShareRevoked, "share-revoked", C::Gone),
            (Problem::ShareExpired, "share-expired", C::Gone),
            (Problem::ShareUsedUp, "share-used-up", C::Gone),
            (Problem::ShareUnavailable, "share-unavailable", C::Gone),
            (Problem::TooManyAttempts { retry_after: wait }, "too-many-attempts", C::TooMany),
            (Problem::RateLimited { retry_after: wait }, "rate-limited", C::TooMany),
            (Problem::Unavailable(Part::Database), "database-unavailable", C::Unavailable),
            (Problem::Unavailable(Part::BlobStore), "blob-store-unavailable", C::Unavailable),
            (Problem::Unavailable(Part::Queue), "queue-unavailable", C::Unavailable),
            (Problem::Contradiction("x"), "contradiction", C::Fault),
        ]
    }

    #[test]
    fn what_refused_a_record_is_known_by_its_code() {
        for problem in [Problem::UserNameTaken, Problem::QuotaExceeded, Problem::NotFound(Missing::Node)] {
            assert_eq!(Problem::of_refused_record(problem.code()), problem);
        }
        assert_eq!(Problem::of_refused_record("?").class(), Class::Fault);
    }

    #[test]
    fn codes_and_classes_stay_what_they_are() {
        for (problem, code, class) in table() {
            assert_eq!((problem.code(), problem.class()), (code, class), "{problem:?}");
        }
    }

    #[test]
    fn every_code_means_one_thing() {
        let codes: BTreeSet<_> = table().iter().map(|(problem, ..)| problem.code()).collect();
        assert_eq!(codes.len(), table().len());
    }

    #[test]
    fn only_what_is_too_early_says_when() {
        for (problem, _, class) in table() {
            let expected = (class == Class::TooMany).then_some(Duration::from_secs(3));
            assert_eq!(problem.retry_after(), expected, "{problem:?}");
        }
    }
}
