//! Accounts: names, passwords, roles, and how attempts to sign in are slowed down.

mod found;
mod password;
mod profile;
mod record;
mod reserved;
mod throttle;
mod user_name;

pub use found::{FOUND_BY_BYTES_MAX, found_by};
pub use password::{
    Check, DialectPassword, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PasswordCost, PasswordFault,
    PasswordHash, Secret, Typed, Verifiers, check_dialect, check_typed,
};
pub use profile::{EMAIL_BYTES_MAX, Email, NICK_NAME_CHARS_MAX, NickName, PHONE_CHARS_MAX, Phone};
pub use record::{
    Account, AccountState, Decree, Epochs, FIRST_ADMINISTRATOR, Registrar, Registration, RegistrationPolicy,
    Role, decree, first_administrator, may_register,
};
pub use throttle::{ATTEMPTS_BYTES, AddressBlock, Attempts, Throttle, Track};
pub use user_name::{
    USER_NAME_CHARS_MAX, USER_NAME_CHARS_MIN, USER_NAME_KEY_BYTES_MAX, UserName, UserNameFault,
};
