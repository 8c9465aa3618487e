//! The codes of the old dialect (cloud-disk-api, §1.0), and which problem has which.
//!
//! Every answer is HTTP 200 with a number in `code`. Same numbers as the course's documents; where its servers differ
//! among themselves, as in the documents.

use super::operation::Operation;
use crate::problem::{Class, Missing, Problem};

/// A code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// Done.
    Done = 0,
    /// Not done. For `md5`: upload it.
    Failed = 1,
    /// The user name is taken (`reg`); the picture's link is over (`browse`).
    TakenOrOver = 2,
    /// The user shares this file already.
    SharedAlready = 3,
    /// No token, or not one that may.
    BadToken = 4,
    /// The user has this content under this name.
    OwnedAlready = 5,
}

impl Code {
    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The code of a problem in an operation.
pub const fn code(operation: Operation, problem: &Problem) -> Code {
    use Operation as Op;
    // Five cases have codes of their own; the rest goes by class, so a new problem has an answer when it has a class.
    match (operation, problem) {
        (Op::Register, Problem::UserNameTaken) => return Code::TakenOrOver,
        (Op::Share, Problem::AlreadyShared) => return Code::SharedAlready,
        (Op::Md5 | Op::SharedSave, Problem::AlreadyOwned) => return Code::OwnedAlready,
        (Op::PictureBrowse, Problem::NotFound(Missing::Share)) => return Code::TakenOrOver,
        // Both look like a wrong code to the old page.
        (Op::PictureBrowse, Problem::CodeNeeded | Problem::CodeWrong) => return Code::Failed,
        _ => {}
    }
    match problem.class() {
        Class::Unauthenticated | Class::Forbidden if !operation.is_public() => Code::BadToken,
        Class::Gone if matches!(operation, Op::PictureBrowse) => Code::TakenOrOver,
        Class::Invalid
        | Class::Unauthenticated
        | Class::Forbidden
        | Class::Missing
        | Class::Conflict
        | Class::Gone
        | Class::TooLarge
        | Class::TooMany
        | Class::NoRoom
        | Class::Unavailable
        | Class::Fault => Code::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Part;

    #[test]
    fn a_bad_token_is_4_wherever_one_is_needed() {
        for operation in Operation::ALL {
            let expected = if operation.is_public() { Code::Failed } else { Code::BadToken };
            for problem in [
                Problem::SignInNeeded,
                Problem::SessionEnded,
                Problem::AccountFrozen,
                Problem::NotAllowed,
                Problem::ScopeMissing(crate::session::Scope::Write),
            ] {
                assert_eq!(code(operation, &problem), expected, "{operation:?} {problem:?}");
            }
        }
    }

    #[test]
    fn cases_with_a_code_of_their_own_have_it_in_their_operation_only() {
        for (problem, operations, own) in [
            (Problem::UserNameTaken, &[Operation::Register][..], Code::TakenOrOver),
            (Problem::AlreadyShared, &[Operation::Share], Code::SharedAlready),
            (Problem::AlreadyOwned, &[Operation::Md5, Operation::SharedSave], Code::OwnedAlready),
            (Problem::ShareRevoked, &[Operation::PictureBrowse], Code::TakenOrOver),
            (Problem::ShareExpired, &[Operation::PictureBrowse], Code::TakenOrOver),
            (Problem::ShareUsedUp, &[Operation::PictureBrowse], Code::TakenOrOver),
            (Problem::ShareUnavailable, &[Operation::PictureBrowse], Code::TakenOrOver),
            (Problem::NotFound(Missing::Share), &[Operation::PictureBrowse], Code::TakenOrOver),
        ] {
            for operation in Operation::ALL {
                let expected = if operations.contains(&operation) { own } else { Code::Failed };
                assert_eq!(code(operation, &problem), expected, "{operation:?} {problem:?}");
            }
        }
    }

    #[test]
    fn everything_else_is_1() {
        let wait = std::time::Duration::from_secs(1);
        for problem in [
            Problem::FieldMissing("user"),
            Problem::ContentUnknown,
            Problem::NotFound(Missing::Node),
            Problem::NameTaken,
            Problem::QuotaExceeded,
            Problem::TooManyAttempts { retry_after: wait },
            Problem::Unavailable(Part::Database),
            Problem::Contradiction("x"),
        ] {
            for operation in Operation::ALL {
                assert_eq!(code(operation, &problem), Code::Failed, "{operation:?} {problem:?}");
            }
        }
    }

    #[test]
    fn a_failed_sign_in_or_extraction_code_is_1() {
        assert_eq!(code(Operation::Login, &Problem::SignInFailed), Code::Failed);
        assert_eq!(code(Operation::PictureBrowse, &Problem::CodeNeeded), Code::Failed);
        assert_eq!(code(Operation::PictureBrowse, &Problem::CodeWrong), Code::Failed);
    }

    #[test]
    fn codes_are_the_course_s_numbers() {
        let codes = [
            Code::Done,
            Code::Failed,
            Code::TakenOrOver,
            Code::SharedAlready,
            Code::BadToken,
            Code::OwnedAlready,
        ];
        assert_eq!(codes.map(Code::number), [0, 1, 2, 3, 4, 5]);
    }
}
