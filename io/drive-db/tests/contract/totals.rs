//! What there is in all.

use drive_core::totals::{COUNTED_AT_ONCE, Totals};

use crate::kit::{Bed, NOW, by, bytes, later, secret};

on_both! {
    nothing_is_counted_as_nothing
    all_there_is_is_counted_in_parts_of_any_size
}

async fn nothing_is_counted_as_nothing(bed: Bed) {
    assert_eq!(bed.totals(COUNTED_AT_ONCE, NOW).await.unwrap(), Totals::default());
}

async fn all_there_is_is_counted_in_parts_of_any_size(bed: Bed) {
    let (one, other) = (bed.account("lilei").await, bed.account("hanmeimei").await);
    bed.account("nobody").await;
    let folder = bed.folder(one, one.root, "folder").await;
    bed.folder(one, folder, "inner").await;
    let file = bed.file(one, folder, "a", 100).await.id;
    // The same content twice more, one of them in the trash.
    bed.file(one, folder, "b", 100).await;
    let gone = bed.file(other, other.root, "c", 100).await.id;
    bed.trash(other.id, gone, &by(other)).await.unwrap();
    bed.file(other, other.root, "d", 7).await;
    let upload = drive_db::NewUpload {
        owner: other.id,
        parent: other.root,
        name: crate::kit::name("u"),
        on_conflict: Default::default(),
        length: Some(bytes(50)),
        claimed: None,
    };
    bed.begin_upload(&upload, &by(other)).await.unwrap();
    let mut links = Vec::new();
    for (expires_at, downloads_left) in [(None, None), (None, Some(1)), (Some(later(5)), None), (None, None)]
    {
        let new = drive_db::NewShare { expires_at, downloads_left, ..bed.link(one, file) };
        links.push(bed.make_share(&new, &secret(), &by(one)).await.unwrap().id);
    }
    bed.revoke_share(Some(one.id), links[3], &by(one)).await.unwrap();
    let all = Totals {
        accounts: 3,
        nodes: 9,
        files: 4,
        used: bytes(307),
        reserved: bytes(50),
        contents: 2,
        stored: bytes(107),
        links: 4,
        links_open: 3,
    };
    for rows in [1, 2, 3, COUNTED_AT_ONCE] {
        assert_eq!(bed.totals(rows, NOW).await.unwrap(), all, "{rows}");
    }
    assert_eq!(all.folders(), 2);
    // One has ended.
    assert_eq!(bed.totals(2, later(5)).await.unwrap(), Totals { links_open: 2, ..all });
    bed.is_well().await;
}
