//! Directories by hash, for `file_distribute_path_mode = 1`.

/// Two directory numbers under `data/`.
pub type HashedDirectories = (u8, u8);

/// The directories for a file whose temporary name begins with `stamp_text`, among `subdir_count` (1 to 256) on
/// each level.
///
/// The final name differs from the temporary one, so nobody can compute this again from a file id; it only has
/// to spread.
///
/// Source: wire protocol, "Directories".
pub fn hashed_directories(stamp_text: &[u8], subdir_count: u16) -> HashedDirectories {
    let hash = pjw(stamp_text);
    let count = u32::from(subdir_count.clamp(1, 256));
    let pick = |value: u32| ((value & 0xFF) % count) as u8;
    (pick(hash >> 8), pick(hash))
}

/// P. J. Weinberger's hash, with the arithmetic shift of the original.
fn pjw(bytes: &[u8]) -> u32 {
    let mut hash: u32 = 0;
    for &byte in bytes {
        hash = (hash << 4).wrapping_add(u32::from(byte));
        let top = hash & 0xF000_0000;
        if top != 0 {
            hash = (hash ^ ((top as i32) >> 24) as u32) & 0x0FFF_FFFF;
        }
    }
    hash
}
