//! The grammar of `.conf` files.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use fdfs_conf::ini::{FILE_BYTES_MAX, FILES_MAX, INCLUDE_DEPTH_MAX, KEYS_MAX};
use fdfs_conf::{Ini, LoadError, Warning, text_of};
use support::{files, host, items, refused};

fn parse(text: &str) -> Ini {
    Ini::parse("x.conf", text).unwrap()
}

fn oddities(ini: &Ini) -> Vec<String> {
    ini.warnings().iter().map(Warning::to_string).collect()
}

#[test]
fn blanks_around_keys_and_values_do_not_count() {
    let ini = parse("a=1\n  b = 2  \n\tc\t=\t3\t\nd= four and five \n");
    assert_eq!(items(&ini), [".a=1", ".b=2", ".c=3", ".d=four and five"]);
}

#[test]
fn lines_may_end_in_crlf_and_the_last_one_in_nothing() {
    assert_eq!(items(&parse("a = 1\r\n\r\n# c\r\n[s]\r\nb = 2")), [".a=1", "s.b=2"]);
}

#[test]
fn a_hash_makes_a_comment_only_at_the_start_of_a_line() {
    let ini = parse("# a = 1\n   # b = 2\n##c = 3\nd = 4 # five\ne = #6\n# 注释 = 中文\n");
    assert_eq!(items(&ini), [".d=4 # five", ".e=#6"]);
    assert_eq!(ini.warnings(), []);
}

#[test]
fn the_value_begins_after_the_first_equals_sign() {
    assert_eq!(items(&parse("secret = a=b==\nempty =\n")), [".secret=a=b==", ".empty="]);
}

#[test]
fn sections_hold_the_keys_below_them_until_the_next() {
    let ini = parse("a=1\n[ error-log ]\nb=2\n[access-log]\nc=3\n[error-log]\nd=4\n[]\ne=5\n");
    assert_eq!(items(&ini), [".a=1", "error-log.b=2", "access-log.c=3", "error-log.d=4", ".e=5"]);
}

#[test]
fn of_a_repeated_key_all_values_are_kept_and_the_last_one_counts() {
    let ini = parse("t = one\nt = two\n[s]\nt = three\n");
    assert_eq!(ini.get("", "t").map(|item| item.value.as_str()), Some("two"));
    assert_eq!(ini.all("", "t").map(|item| item.value.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert!(ini.get("s", "u").is_none());
}

#[test]
fn every_value_knows_its_file_and_line() {
    let texts =
        [("/etc/fdfs/a.conf", "x = 1\n#include b.conf\ny = 3\n"), ("/etc/fdfs/b.conf", "\n\nz = 2\n")];
    let ini = Ini::load("/etc/fdfs/a.conf", &mut files(&texts), None).unwrap();
    let places: Vec<(&str, &str, u32)> =
        ini.items().iter().map(|i| (i.key.as_str(), &*i.place.file, i.place.line)).collect();
    assert_eq!(
        places,
        [("x", "/etc/fdfs/a.conf", 1), ("z", "/etc/fdfs/b.conf", 3), ("y", "/etc/fdfs/a.conf", 3)]
    );
}

#[test]
fn a_line_that_is_nothing_known_is_warned_about() {
    let ini = parse("store_path0 /data\n[error-log\n= 5\nok = 1\n");
    assert_eq!(items(&ini), [".ok=1"]);
    assert_eq!(
        oddities(&ini),
        [
            "x.conf:1: not a key, a section or a comment, ignored: store_path0 /data",
            "x.conf:2: not a key, a section or a comment, ignored: [error-log",
            "x.conf:3: not a key, a section or a comment, ignored: = 5",
        ]
    );
}

#[test]
fn a_byte_order_mark_is_stepped_over_and_a_nul_is_refused() {
    assert_eq!(items(&parse("\u{feff}a = 1\n")), [".a=1"]);
    assert_eq!(
        refused(Ini::parse("x.conf", "a = 1\nb = \0\n")),
        "x.conf:2: holds a NUL byte: this is not a text file"
    );
}

#[test]
fn bytes_that_are_not_utf8_become_a_mark_and_disturb_nothing() {
    let text = text_of(b"# \xb4\xf3\xd0\xa1\r\na = 1\n".to_vec());
    assert_eq!(items(&parse(&text)), [".a=1"]);
}

#[test]
fn a_value_longer_than_fastdfs_keeps_is_kept_and_warned_about() {
    let ini = parse(&format!("a = {}\n", "x".repeat(256)));
    assert_eq!(ini.items()[0].value.len(), 256);
    assert_eq!(oddities(&ini), ["x.conf:1: a: longer than 255 bytes: FastDFS would cut it there"]);
}

// Includes

#[test]
fn an_include_is_read_in_place_and_leaves_no_section_behind() {
    let texts = [
        ("etc/a.conf", "[s]\n#include sub/b.conf\nafter = 3\n"),
        ("etc/sub/b.conf", "before = 1\n[t]\ninside = 2\n"),
    ];
    let ini = Ini::load("etc/a.conf", &mut files(&texts), None).unwrap();
    assert_eq!(items(&ini), [".before=1", "t.inside=2", ".after=3"]);
}

#[test]
fn include_may_be_written_in_any_case_with_tabs_and_a_file_scheme() {
    let texts = [
        ("/c/a.conf", "#INCLUDE\tb.conf  \r\n#include file:///d/e.conf\n"),
        ("/c/b.conf", "b=1"),
        ("/d/e.conf", "e=2"),
    ];
    let ini = Ini::load("/c/a.conf", &mut files(&texts), None).unwrap();
    assert_eq!(items(&ini), [".b=1", ".e=2"]);
}

#[test]
fn what_only_looks_like_an_include_is_a_comment() {
    let ini = parse("##include b.conf\n# include b.conf\n#included = 1\n#include\n");
    assert_eq!((items(&ini), ini.warnings().len()), (vec![], 0));
}

#[test]
fn a_relative_include_starts_in_the_first_files_folder_and_then_in_its_own() {
    let texts = [
        ("/c/a.conf", "#include sub/b.conf\n"),
        ("/c/sub/b.conf", "#include both.conf\n#include own.conf\n"),
        ("/c/both.conf", "both=first file's\n"),
        ("/c/sub/both.conf", "both=own\n"),
        ("/c/sub/own.conf", "own=1\n"),
    ];
    let ini = Ini::load("/c/a.conf", &mut files(&texts), None).unwrap();
    assert_eq!(items(&ini), [".both=first file's", ".own=1"]);
}

#[test]
fn a_missing_or_unreadable_include_stops_with_the_line_that_asks_for_it() {
    let texts = [("a.conf", "x=1\n#include gone.conf\n")];
    assert_eq!(
        refused(Ini::load("a.conf", &mut files(&texts), None)),
        "a.conf:2: #include gone.conf: no such file"
    );
    let mut locked = |path: &str| match path {
        "a.conf" => Ok("#include b.conf".to_owned()),
        _ => Err(LoadError::Unreadable("permission denied".to_owned())),
    };
    assert_eq!(
        refused(Ini::load("a.conf", &mut locked, None)),
        "a.conf:1: #include b.conf: cannot be read: permission denied"
    );
    assert_eq!(refused(Ini::load("b.conf", &mut files(&[]), None)), "b.conf: no such file");
}

#[test]
fn files_that_include_each_other_are_refused() {
    let texts = [("/c/a.conf", "#include b.conf"), ("/c/b.conf", "\n#include ./a.conf")];
    assert_eq!(
        refused(Ini::load("/c/a.conf", &mut files(&texts), None)),
        "/c/b.conf:2: #include ./a.conf: this file is being read already, it includes itself"
    );
}

#[test]
fn the_same_file_may_be_included_twice_one_after_the_other() {
    let texts = [("a.conf", "#include b.conf\n#include b.conf\n"), ("b.conf", "x=1")];
    assert_eq!(items(&Ini::load("a.conf", &mut files(&texts), None).unwrap()), [".x=1", ".x=1"]);
}

#[test]
fn includes_end_at_a_depth_and_at_a_number() {
    // Each file includes the next one: no file twice, and no end.
    let mut chain = |path: &str| {
        let n: u32 = path.trim_end_matches(".conf").parse().unwrap();
        Ok(format!("#include {}.conf", n + 1))
    };
    assert_eq!(
        refused(Ini::load("1.conf", &mut chain, None)),
        format!("8.conf:1: #include 9.conf: files include each other more than {INCLUDE_DEPTH_MAX} deep")
    );
    let many = "#include b.conf\n".repeat(FILES_MAX);
    assert_eq!(
        refused(Ini::load("a.conf", &mut files(&[("a.conf", &many), ("b.conf", "")]), None)),
        format!("a.conf:{FILES_MAX}: #include b.conf: more than {FILES_MAX} files are included")
    );
}

#[test]
fn urls_are_not_fetched() {
    assert_eq!(
        refused(Ini::parse("x.conf", "#include http://example.com/http.conf")),
        "x.conf:1: #include http://example.com/http.conf: only files can be included, not URLs"
    );
}

#[test]
fn a_file_that_is_too_long_or_has_too_many_keys_is_refused() {
    let long = "#".repeat(FILE_BYTES_MAX + 1);
    assert_eq!(refused(Ini::parse("x.conf", &long)), "x.conf: longer than 1048576 bytes");
    let many = "k=\n".repeat(KEYS_MAX + 1);
    assert_eq!(refused(Ini::parse("x.conf", &many)), "x.conf:10001: more than 10000 keys");
}

// Directives

#[test]
fn if_chooses_by_a_variable() {
    let text = "#@set ROLE = main\n#@if %{ROLE} in [ main , spare ]\na=1\n#@else\nb=2\n#@endif\n\
                #@if %{ROLE} in [other]\nc=3\n#@else\nd=4\n#@endif\ne=5\n";
    assert_eq!(items(&parse(text)), [".a=1", ".d=4", ".e=5"]);
}

#[test]
fn if_chooses_by_address_network_and_name_of_the_host() {
    let text = "#@if %{LOCAL_IP} in [10.0.11.89,10.0.11.99]\na=1\n#@endif\n\
                #@if %{LOCAL_IP} in [203.0.0.0/16]\nb=2\n#@endif\n\
                #@if %{LOCAL_IP} in [10.0.12.0/24]\nc=3\n#@endif\n\
                #@if %{LOCAL_HOST} in [node7]\nd=4\n#@endif\n";
    let ini = Ini::load("a.conf", &mut files(&[("a.conf", text)]), Some(&host())).unwrap();
    assert_eq!(items(&ini), [".a=1", ".b=2", ".d=4"]);
}

#[test]
fn a_question_about_the_host_without_an_answer_is_an_error() {
    assert_eq!(
        refused(Ini::parse("x.conf", "#@if %{LOCAL_IP} in [10.0.0.1]\n#@endif")),
        "x.conf:1: asks for this host's addresses, which this program was not told"
    );
}

#[test]
fn an_include_or_a_variable_in_a_branch_not_taken_does_not_happen() {
    let text = "#@set A = 1\n#@if %{A} in [2]\n#include gone.conf\n#@set A = 2\n#@endif\n\
                #@function REPLACE_VARS\na = %{A}\n";
    assert_eq!(items(&parse(text)), [".a=1"]);
}

#[test]
fn blocks_may_stand_inside_each_other() {
    let text = "#@set A = 1\n#@if %{A} in [1]\n#@if %{A} in [2]\nx=1\n#@else\nx=2\n#@endif\n#@else\nx=3\n#@endif\n\
                #@for i from 0 to 1\n#@for j from 0 to 1\nk{$i}{$j}=\n#@endfor\n#@endfor\n";
    assert_eq!(items(&parse(text)), [".x=2", ".k00=", ".k01=", ".k10=", ".k11="]);
}

#[test]
fn for_repeats_lines_with_the_number_in_place() {
    let text = "#@for i from 0 to 4 step 2\n[group{$i}]\nstore_path{$i} = /disk{$i}/{$i}\n#@endfor\n";
    assert_eq!(
        items(&parse(text)),
        ["group0.store_path0=/disk0/0", "group2.store_path2=/disk2/2", "group4.store_path4=/disk4/4"]
    );
}

#[test]
fn a_directive_that_cannot_be_followed_stops_with_its_line() {
    let said = |text: &str| refused(Ini::parse("x.conf", &format!("\n{text}")));
    assert_eq!(said("#@if A in [1]\n#@endif"), "x.conf:2: #@if must read: #@if %{NAME} in [value, value]");
    assert_eq!(said("#@if %{A} in [1]\na=1"), "x.conf:2: #@if has no #@endif");
    assert_eq!(said("#@endif"), "x.conf:2: #@endif without #@if");
    assert_eq!(said("#@else"), "x.conf:2: #@else without #@if");
    assert_eq!(said("#@for i from 0\n#@endfor"), "x.conf:2: #@for must read: #@for NAME from 0 to 9 step 1");
    assert_eq!(said("#@for i from 5 to 3\n#@endfor"), "x.conf:2: #@for never runs: it goes up from 5 to 3");
    assert_eq!(said("#@for i from 0 to 3 step 0\n#@endfor"), "x.conf:2: #@for needs a step of at least 1");
    assert_eq!(said("#@for i from 0 to 3\n"), "x.conf:2: #@for has no #@endfor");
    assert_eq!(said("#@set A"), "x.conf:2: #@set must read: #@set NAME = value");
    assert_eq!(
        said("#@add_annotation CONFIG_GET /usr/lib/libshmcache.so"),
        "x.conf:2: #@add_annotation loads a library into the reader; that is not done here"
    );
}

#[test]
fn a_loop_that_would_fill_the_memory_ends() {
    let said = "more than 4194304 bytes, loops and included files counted in";
    let endless = "#@for i from 0 to 4294967295\n#@endfor\n";
    assert_eq!(refused(Ini::parse("x.conf", endless)), format!("x.conf:1: {said}"));
    let wide = format!("#@for i from 0 to 4294967295\n{}\n#@endfor\n", "x".repeat(100_000));
    assert_eq!(refused(Ini::parse("x.conf", &wide)), format!("x.conf:2: {said}"));
}

#[test]
fn a_variable_that_doubles_itself_ends() {
    let text = format!("#@set A = xx\n{}", "#@set A = %{A}%{A}\n".repeat(40));
    assert_eq!(refused(Ini::parse("x.conf", &text)), "x.conf:10: a variable holds at most 512 bytes");
}

#[test]
fn blocks_end_at_a_depth() {
    let text = format!("{}{}", "#@for i from 1 to 1\n".repeat(9), "#@endfor\n".repeat(9));
    assert_eq!(
        refused(Ini::parse("x.conf", &text)),
        "x.conf:9: more than 8 #@if and #@for inside each other"
    );
}

#[test]
fn commands_are_never_run() {
    let ini = parse(
        "#@set A = $(rm -rf /)\n#@function SHELL_EXEC\nh = hostname\n#@function REPLACE_VARS\na = [%{A}]\n",
    );
    assert_eq!(items(&ini), [".h=hostname", ".a=[]"]);
    assert_eq!(
        oddities(&ini),
        [
            "x.conf:1: commands are not run, the value is left empty: rm -rf /",
            "x.conf:3: h: function SHELL_EXEC is not available, the value is used as written",
        ]
    );
}

#[test]
fn replace_vars_uses_the_variables_of_the_whole_file() {
    let ini = parse("#@set A = 1\n#@function REPLACE_VARS\nx = %{A}-%{ A }-%{B}\n#@set A = 2\n");
    assert_eq!(items(&ini), [".x=2-2-%{B}"]);
    assert_eq!(oddities(&ini), ["x.conf:3: x: variable B is not set, left as written"]);
}

#[test]
fn local_ip_get_gives_the_addresses_asked_for() {
    let value_of = |wish: &str| {
        let text = format!("#@function LOCAL_IP_GET\na = {wish}\n");
        let ini = Ini::load("a.conf", &mut files(&[("a.conf", &text)]), Some(&host())).unwrap();
        items(&ini)
    };
    assert_eq!(value_of("inner"), [".a=10.0.11.89", ".a=192.168.1.7"]);
    assert_eq!(value_of("private[0]"), [".a=10.0.11.89"]);
    assert_eq!(value_of("inner[-1]"), [".a=192.168.1.7"]);
    assert_eq!(value_of("outer"), [".a=203.0.113.5"]);
    assert_eq!(value_of("[0]"), [".a=203.0.113.5"]);
    assert_eq!(value_of("outer[1]"), [".a="]);
}

#[test]
fn a_function_must_stand_right_above_its_key() {
    let ini = parse("#@set A = 1\n#@function REPLACE_VARS\n\na = %{A}\n");
    assert_eq!(items(&ini), [".a=%{A}"]);
    assert_eq!(oddities(&ini), ["x.conf:3: #@function must stand right above a key"]);
}
