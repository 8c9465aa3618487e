//! The old dialect: what the clients of the course's picture bed speak ("dialect B" of cloud-disk-api).
//!
//! A thin layer: it reads fields, names the use case, and words the outcome. Where it differs from the course's
//! servers it is safer, and each difference is in the table of decision 10.

mod code;
mod operation;
mod reply;
mod request;
mod rules;
mod time_text;

pub use code::{Code, code};
pub use operation::{Operation, Target, target};
pub use reply::{
    FileRow, Page, PictureRow, PictureSeen, PictureShared, Plain, RankRow, ShareStatus, SignedIn, Total,
    kind_of,
};
pub use request::{Claimed, Fields, REQUEST_BYTES_MAX, RegistrationFields, check_user};
pub use rules::{OwnFile, PictureCodes, instant, may_list, may_save, named_file, picture_has_code};
pub(crate) use time_text::date;
pub use time_text::{OFFSET_MINUTES_MAX, time_text};
