//! What old clients send.

use serde_json::{Map, Value};

use crate::account::{DialectPassword, Email, NickName, Phone, UserName};
use crate::content::Md5Digest;
use crate::node::NodeName;
use crate::page::RowsPage;
use crate::problem::Problem;
use crate::session::Token;
use crate::share::ShareToken;

/// Bytes of a request's JSON at most.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// The fields of a request: a JSON object. Fields that nobody asks for are ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let fits = body.len() <= REQUEST_BYTES_MAX;
        match fits.then(|| serde_json::from_slice(body)) {
            Some(Ok(Value::Object(fields))) => Ok(Self(fields)),
            _ => Err(Problem::FieldInvalid("body")),
        }
    }

    /// The text fields of a form. Of two with one name the last counts.
    pub fn of_form(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(fields.into_iter().map(|(name, text)| (name, Value::String(text))).collect())
    }

    /// A text. Null is a text that is not there.
    fn text(&self, names: &[&'static str]) -> Result<Option<&str>, Problem> {
        for name in names {
            match self.0.get(*name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => return Ok(Some(text)),
                Some(_) => return Err(Problem::FieldInvalid(name)),
            }
        }
        Ok(None)
    }

    /// A text that has to be there. Which of several spellings is missing is told by the first.
    fn need(&self, names: &[&'static str]) -> Result<&str, Problem> {
        let name = names.first().copied().unwrap_or_default();
        self.text(names)?.ok_or(Problem::FieldMissing(name))
    }

    /// A text that may be there; clients send empty ones for what nobody filled in.
    fn filled(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        Ok(self.text(&[name])?.filter(|text| !text.is_empty()))
    }

    /// A whole number, as such or in a text.
    fn number(&self, name: &'static str) -> Result<i64, Problem> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Err(Problem::FieldMissing(name)),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        number.ok_or(Problem::FieldInvalid(name))
    }

    /// `user`: who the client says it is. The token says who it is.
    pub fn user(&self) -> Result<UserName, Problem> {
        Ok(UserName::parse(self.need(&["user"])?)?)
    }

    /// `token`, if it is one. What is none is like a session that has ended (W-01).
    pub fn token(&self) -> Result<Option<Token>, Problem> {
        match self.text(&["token"])? {
            None => Ok(None),
            Some(text) => Token::parse(text).map(Some).ok_or(Problem::SessionEnded),
        }
    }

    /// `md5`.
    pub fn md5(&self) -> Result<Md5Digest, Problem> {
        Md5Digest::from_hex(self.need(&["md5"])?).ok_or(Problem::FieldInvalid("md5"))
    }

    /// `md5` and `size` of an upload, as far as they were sent: what its bytes have to be.
    pub fn claimed(&self) -> Result<Claimed, Problem> {
        let md5 =
            self.filled("md5")?.map(|text| Md5Digest::from_hex(text).ok_or(Problem::FieldInvalid("md5")));
        let size = self.filled("size")?.map(|text| text.parse().map_err(|_| Problem::FieldInvalid("size")));
        Ok(Claimed { md5: md5.transpose()?, size: size.transpose()? })
    }

    /// `filename`, which is also spelled `fileName` and `file_name`.
    pub fn file_name(&self) -> Result<NodeName, Problem> {
        Ok(NodeName::new(self.need(&["filename", "fileName", "file_name"])?)?)
    }

    /// `start` and `count`.
    pub fn page(&self) -> Result<RowsPage, Problem> {
        RowsPage::new(self.number("start")?, self.number("count")?)
    }

    /// `urlmd5`: the token of a picture's link. What can't be one leads nowhere.
    pub fn picture(&self) -> Result<ShareToken, Problem> {
        let missing = Problem::NotFound(crate::problem::Missing::Share);
        ShareToken::parse(self.need(&["urlmd5"])?).ok_or(missing)
    }

    /// Is there a `key` in the request, even an empty one?
    pub fn has_key(&self) -> bool {
        self.0.contains_key("key")
    }

    /// `key`: the extraction code of a picture's link.
    pub fn extraction_code(&self) -> Result<Option<&str>, Problem> {
        self.filled("key")
    }

    /// The fields of `reg`.
    pub fn registration(&self) -> Result<RegistrationFields, Problem> {
        let user_name = UserName::new(self.need(&["userName"])?)?;
        let password = DialectPassword::new(self.need(&["firstPwd"])?)?;
        password.check_policy(&user_name)?;
        Ok(RegistrationFields {
            password,
            nick_name: NickName::new(self.need(&["nickName"])?)?,
            email: self.filled("email")?.map(Email::new).transpose()?,
            phone: self.filled("phone")?.map(Phone::new).transpose()?,
            user_name,
        })
    }

    /// The fields of `login`. Whatever is the matter with either is told as a wrong one.
    pub fn sign_in(&self) -> Result<(UserName, DialectPassword), Problem> {
        let user = UserName::parse(self.need(&["user"])?).map_err(|_| Problem::SignInFailed)?;
        let password = DialectPassword::new(self.need(&["pwd"])?).map_err(|_| Problem::SignInFailed)?;
        Ok((user, password))
    }
}

/// A new account, as old clients ask for it.
#[derive(Debug, Clone)]
pub struct RegistrationFields {
    /// `userName`
    pub user_name: UserName,
    /// `nickName`
    pub nick_name: NickName,
    /// `firstPwd`
    pub password: DialectPassword,
    /// `email`
    pub email: Option<Email>,
    /// `phone`
    pub phone: Option<Phone>,
}

/// What the bytes of an upload are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Their MD5.
    pub md5: Option<Md5Digest>,
    /// How many they are.
    pub size: Option<u64>,
}

impl Claimed {
    /// Are they that (W-07)?
    pub fn check(&self, md5: Md5Digest, size: u64) -> Result<(), Problem> {
        let same =
            self.md5.is_none_or(|claimed| claimed == md5) && self.size.is_none_or(|claimed| claimed == size);
        if same { Ok(()) } else { Err(Problem::ChecksumDiffers) }
    }
}

/// Is the account that the token stands for the one that `user` names? What is done is done for the token's; a client
/// that names another is mixed up, or up to something.
pub fn check_user(named: &UserName, of_token: &UserName) -> Result<(), Problem> {
    if named.key() == of_token.key() { Ok(()) } else { Err(Problem::SessionEnded) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{PasswordFault, UserNameFault};
    use crate::node::NameFault;
    use crate::problem::Missing;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_body_is_one_json_object_of_bounded_size() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(REQUEST_BYTES_MAX));
        for body in ["", "[]", "1", "null", "{", "{} x", "\"user\"", &long] {
            assert_eq!(Fields::parse(body.as_bytes()), Err(Problem::FieldInvalid("body")), "{body}");
        }
        assert_eq!(Fields::parse(b"{\"user\":\"\xff\"}"), Err(Problem::FieldInvalid("body")));
        assert!(Fields::parse(b"{}").is_ok());
    }

    #[test]
    fn the_name_of_a_file_has_three_spellings() {
        for spelling in ["filename", "fileName", "file_name"] {
            let name = fields(&format!("{{\"{spelling}\":\"图.png\"}}")).file_name().unwrap();
            assert_eq!(name.as_str(), "图.png");
        }
        assert_eq!(fields("{}").file_name(), Err(Problem::FieldMissing("filename")));
        assert_eq!(fields("{\"filename\":null}").file_name(), Err(Problem::FieldMissing("filename")));
        assert_eq!(fields("{\"fileName\":1}").file_name(), Err(Problem::FieldInvalid("fileName")));
        let slash = fields("{\"filename\":\"../x\"}").file_name();
        assert_eq!(slash, Err(Problem::NameInvalid(NameFault::Slash)));
    }

    #[test]
    fn what_is_no_token_is_no_session() {
        for (json, expected) in [
            ("{}", Ok(false)),
            ("{\"token\":null}", Ok(false)),
            ("{\"token\":\"\"}", Err(Problem::SessionEnded)),
            ("{\"token\":\"1\"}", Err(Problem::SessionEnded)),
            ("{\"token\":1}", Err(Problem::FieldInvalid("token"))),
            ("{\"token\":\"AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg\"}", Ok(true)),
        ] {
            assert_eq!(fields(json).token().map(|token| token.is_some()), expected, "{json}");
        }
    }

    #[test]
    fn numbers_come_as_numbers_or_texts() {
        for (json, expected) in [
            ("{\"start\":0,\"count\":10}", Ok((0, 10))),
            ("{\"start\":\"5\",\"count\":\"10\"}", Ok((5, 10))),
            ("{\"start\":-1,\"count\":10}", Err(Problem::FieldInvalid("start"))),
            ("{\"start\":0.5,\"count\":10}", Err(Problem::FieldInvalid("start"))),
            ("{\"start\":0,\"count\":\"all\"}", Err(Problem::FieldInvalid("count"))),
            ("{\"start\":0,\"count\":99999999999999999999}", Err(Problem::FieldInvalid("count"))),
            ("{\"start\":[],\"count\":1}", Err(Problem::FieldInvalid("start"))),
            ("{\"count\":1}", Err(Problem::FieldMissing("start"))),
        ] {
            assert_eq!(fields(json).page().map(|page| (page.start, page.count)), expected, "{json}");
        }
    }

    #[test]
    fn a_registration_is_checked_field_by_field() {
        let body = |changes: &[(&str, Value)]| {
            let mut fields = serde_json::json!({
                "userName": "lilei", "nickName": "李雷", "firstPwd": "e10adc3949ba59abbe56e057f20f883e",
                "phone": "", "email": "li@lei.cn",
            });
            for (name, value) in changes {
                fields[*name] = value.clone();
            }
            Fields::parse(fields.to_string().as_bytes()).unwrap().registration()
        };
        let made = body(&[]).unwrap();
        assert_eq!((made.user_name.as_str(), made.nick_name.as_str()), ("lilei", "李雷"));
        assert_eq!(made.email.as_ref().map(Email::as_str), Some("li@lei.cn"));
        assert_eq!(made.phone, None);
        for (name, value, problem) in [
            ("userName", Value::Null, Problem::FieldMissing("userName")),
            ("userName", "file_public_zset".into(), Problem::UserNameInvalid(UserNameFault::Reserved)),
            ("userName", "li'lei".into(), Problem::UserNameInvalid(UserNameFault::Character)),
            ("nickName", "".into(), Problem::FieldInvalid("nick_name")),
            ("firstPwd", "123456".into(), Problem::PasswordRefused(PasswordFault::NotADigest)),
            ("firstPwd", 5.into(), Problem::FieldInvalid("firstPwd")),
            ("email", "x".into(), Problem::FieldInvalid("email")),
            ("phone", "x".into(), Problem::FieldInvalid("phone")),
        ] {
            assert_eq!(body(&[(name, value.clone())]).err(), Some(problem), "{name} {value}");
        }
    }

    #[test]
    fn a_sign_in_says_only_that_something_is_wrong() {
        let right = "e10adc3949ba59abbe56e057f20f883e";
        for (user, pwd, problem) in [
            ("lilei", right, None),
            ("admin", right, None),
            ("li'lei", right, Some(Problem::SignInFailed)),
            ("lilei", "123456", Some(Problem::SignInFailed)),
            ("lilei", "", Some(Problem::SignInFailed)),
        ] {
            let json = serde_json::json!({ "user": user, "pwd": pwd }).to_string();
            assert_eq!(fields(&json).sign_in().err(), problem, "{user} {pwd}");
        }
        assert_eq!(fields("{\"user\":\"lilei\"}").sign_in().err(), Some(Problem::FieldMissing("pwd")));
    }

    #[test]
    fn digests_and_links_have_their_form() {
        let md5 = fields("{\"md5\":\"e10adc3949ba59abbe56e057f20f883e\"}").md5().unwrap();
        assert_eq!(md5.to_string(), "e10adc3949ba59abbe56e057f20f883e");
        assert_eq!(fields("{\"md5\":\"' or 1=1\"}").md5(), Err(Problem::FieldInvalid("md5")));
        let none = fields("{\"urlmd5\":\"x\"}").picture();
        assert_eq!(none, Err(Problem::NotFound(Missing::Share)));
        assert!(fields("{\"urlmd5\":\"00102030405060708090a0b0c0d0e0f0\"}").picture().is_ok());
        assert_eq!(fields("{\"key\":\"\"}").extraction_code(), Ok(None));
        assert!(fields("{\"key\":\"\"}").has_key() && !fields("{}").has_key());
        assert_eq!(fields("{\"key\":\"ab12\"}").extraction_code(), Ok(Some("ab12")));
    }

    #[test]
    fn an_upload_is_what_it_is_said_to_be() {
        let md5 = Md5Digest::from_hex("e10adc3949ba59abbe56e057f20f883e").unwrap();
        let form = |pairs: &[(&str, &str)]| {
            Fields::of_form(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
                .claimed()
        };
        for (pairs, expected) in [
            (&[][..], Ok(())),
            (&[("md5", ""), ("size", "")], Ok(())),
            (&[("md5", "e10adc3949ba59abbe56e057f20f883e"), ("size", "6")], Ok(())),
            (&[("md5", "d41d8cd98f00b204e9800998ecf8427e"), ("size", "6")], Err(Problem::ChecksumDiffers)),
            (&[("size", "7")], Err(Problem::ChecksumDiffers)),
            (&[("size", "7"), ("size", "6")], Ok(())),
            (&[("size", "six")], Err(Problem::FieldInvalid("size"))),
            (&[("size", "-6")], Err(Problem::FieldInvalid("size"))),
            (&[("md5", "123456")], Err(Problem::FieldInvalid("md5"))),
        ] {
            assert_eq!(form(pairs).and_then(|claimed| claimed.check(md5, 6)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_token_stands_for_its_own_account_only() {
        let name = |text| UserName::parse(text).unwrap();
        assert_eq!(check_user(&name("LiLei"), &name("lilei")), Ok(()));
        assert_eq!(check_user(&name("hanmeimei"), &name("lilei")), Err(Problem::SessionEnded));
    }
}
