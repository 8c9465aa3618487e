//! Sessions and API tokens.

mod api_token;
mod lifetime;
mod scope;
mod token;

pub use api_token::{API_TOKENS_MAX, ApiToken, may_make_api_token};
pub use lifetime::{
    Alive, Door, SESSIONS_MAX, Session, SessionLifetime, Standing, TOUCH_EVERY, Truth, Turn, TurnPlan,
    VERDICT_FRESH, VERDICT_STALE, may_use_cached,
};
pub use scope::{Scope, Scopes};
pub use token::{API_TOKEN_PREFIX, SESSION_TOKEN_CHARS, TOKEN_BYTES, Token, TokenDigest, TokenKind};
