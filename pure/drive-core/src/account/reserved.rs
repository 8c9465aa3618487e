//! Names that nobody may register.

/// By the folded key of a user name. The first row names the system's own parts and people; the second is what the
/// course product keeps in the same Redis database under bare user names (cloud-disk-api, W-10). Here sessions,
/// counters and lists live in separate typed places, so such an account could do no harm; the names stay closed so
/// that data can be carried over in either direction.
const WORDS: [&str; 22] = [
    "admin",
    "administrator",
    "root",
    "system",
    "cairn",
    "drive",
    "api",
    "support",
    "security",
    "postmaster",
    "webmaster",
    "anonymous",
    "guest",
    "everyone",
    "null",
    "undefined",
    "me", //
    "file_public_zset",
    "file_public_count",
    "file_name_hash",
    "file_user_count",
    "share_pic_count",
];
const BEGINNINGS: [&str; 4] = ["file_user_count", "share_pic_count", "short_url_", "xxx_share_xxx_file_xxx"];
const ENDINGS: [&str; 1] = ["_share_picture_list_count"];

/// Is this key closed to registration?
pub(super) fn is_reserved(key: &str) -> bool {
    WORDS.contains(&key)
        || BEGINNINGS.iter().any(|beginning| key.starts_with(beginning))
        || ENDINGS.iter().any(|ending| key.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::is_reserved;

    #[test]
    fn keys_of_the_course_product_are_reserved() {
        for (key, reserved) in [
            ("file_public_zset", true),
            ("file_public_count", true),
            ("file_name_hash", true),
            ("file_user_countlilei", true),
            ("share_pic_countlilei", true),
            ("short_url_1", true),
            ("lilei_share_picture_list_count", true),
            ("xxx_share_xxx_file_xxx_list_xxx_count_xxx", true),
            ("root", true),
            ("rooted", false),
            ("file_public", false),
            ("lilei", false),
        ] {
            assert_eq!(is_reserved(key), reserved, "{key}");
        }
    }
}
