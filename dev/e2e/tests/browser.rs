//! Files over HTTP as a browser takes them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use e2e::files::{entry, noise, serving, upload};
use serde_json::Value;
use testkit::browser::Reports;
use testkit::cluster::Plan;

/// Ten seconds of film: five red, five blue.
const FILM: &[u8] = include_bytes!("../../../fixtures/media/red-then-blue.webm");

/// Looks at everything, and says what it saw.
const PAGE: &str = r"<!doctype html><meta charset=utf-8><title>看一看</title><body><script>
const when = (target, event) => new Promise((done, fail) => {
  target.addEventListener(event, done, { once: true });
  target.addEventListener('error', () => fail(new Error(event + ': ' + (target.error?.message ?? 'error'))), { once: true });
});
async function look() {
  const seen = { title: document.title, charset: document.characterSet };
  seen.text = await (await fetch('TEXT')).text();
  const frame = document.createElement('iframe');
  frame.src = 'TEXT';
  const framed = when(frame, 'load');
  document.body.append(frame);
  await framed;
  seen.frameCharset = frame.contentDocument.characterSet;
  seen.frameText = frame.contentDocument.body.innerText.trim();
  for (const [name, source] of Object.entries({ picture: 'PICTURE', small: 'SMALL' })) {
    const picture = new Image();
    const loaded = when(picture, 'load');
    picture.src = source;
    await loaded;
    seen[name] = [picture.naturalWidth, picture.naturalHeight];
  }
  const film = document.createElement('video');
  film.muted = true;
  const ready = when(film, 'loadeddata');
  film.src = 'FILM';
  document.body.append(film);
  await ready;
  const colour = () => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 8;
    const pen = canvas.getContext('2d');
    pen.drawImage(film, 0, 0, 8, 8);
    const [red, , blue] = pen.getImageData(4, 4, 1, 1).data;
    return red > 128 ? 'red' : blue > 128 ? 'blue' : 'neither';
  };
  seen.film = [Math.round(film.duration)];
  for (const second of [2, 7, 3, 9]) {
    const sought = when(film, 'seeked');
    const shown = new Promise((done) => film.requestVideoFrameCallback(done));
    film.currentTime = second;
    await sought;
    await shown;
    seen.film.push(colour());
  }
  const sound = document.createElement('audio');
  sound.preload = 'metadata';
  const known = when(sound, 'loadedmetadata');
  sound.src = 'SOUND';
  await known;
  const sought = when(sound, 'seeked');
  sound.currentTime = 230;
  await sought;
  seen.sound = [Math.round(sound.duration), Math.round(sound.currentTime)];
  return seen;
}
look().catch((error) => ({ error: String(error) })).then((seen) => navigator.sendBeacon('REPORT', JSON.stringify(seen)));
</script>";

/// A WAV file of four minutes, too long for a browser to read ahead.
fn sound() -> Vec<u8> {
    const RATE: u32 = 48_000;
    let samples = noise((RATE * 2 * 240) as usize);
    let len = samples.len() as u32;
    let mut wav = Vec::from(*b"RIFF");
    wav.extend((36 + len).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * 2).to_le_bytes());
    wav.extend(2_u16.to_le_bytes());
    wav.extend(16_u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(len.to_le_bytes());
    wav.extend(samples);
    wav
}

/// A picture, 400 by 300.
fn photo() -> Vec<u8> {
    let mut file = Vec::new();
    let pixels: Vec<u8> =
        (0..400 * 300_u32).flat_map(|at| [(at % 400 / 2) as u8, (at / 400) as u8, 90]).collect();
    let encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.encode(&pixels, 400, 300, jpeg_encoder::ColorType::Rgb).unwrap();
    file
}

#[test]
fn a_browser_shows_chinese_text_pictures_and_films_in_which_one_can_jump() {
    let keys = [("[access-log] enabled", "true"), ("pictures", "true"), ("picture_sizes", "100x")];
    let plan = Plan::new().groups(&[("group1", 2), ("group2", 2)]).storage_key("heart_beat_interval", 1);
    let cluster = plan.http(&keys).start().unwrap();
    serving(&cluster, &["group1", "group2"], 2);
    let nginx = entry(&cluster);
    let door = nginx.address();
    let link = |group: &str, content: &[u8], ext: &str| format!("/{}", upload(&cluster, group, content, ext));
    let text = "床前明月光，疑是地上霜。举头望明月，低头思故乡。";
    let (photo, sound) = (link("group1", &photo(), "jpg"), link("group2", &sound(), "wav"));
    let reports = Reports::new().unwrap();
    let page = PAGE
        .replace("TEXT", &link("group2", text.as_bytes(), "txt"))
        .replace("PICTURE", &photo)
        .replace("SMALL", &format!("{photo}?w=100"))
        .replace("FILM", &link("group1", FILM, "webm"))
        .replace("SOUND", &sound)
        .replace("REPORT", &format!("http://{}/", reports.address().unwrap()));
    let page = link("group1", page.as_bytes(), "html");
    let seen: Value = serde_json::from_str(&reports.of(&format!("http://{door}{page}")).unwrap()).unwrap();
    assert_eq!(seen["error"], Value::Null);
    assert_eq!((&seen["title"], &seen["charset"]), (&"看一看".into(), &"UTF-8".into()));
    assert_eq!((&seen["text"], &seen["frameText"]), (&text.into(), &text.into()));
    assert_eq!(seen["frameCharset"], "UTF-8");
    assert_eq!(seen["picture"], serde_json::json!([400, 300]));
    assert_eq!(seen["small"], serde_json::json!([100, 75]));
    assert_eq!(seen["film"], serde_json::json!([10, "red", "blue", "red", "blue"]));
    assert_eq!(seen["sound"], serde_json::json!([240, 230]));
    // It jumped, and did not read all that lies between.
    let logs = cluster.storages.iter().map(|storage| storage.base_path.join("logs/gateway_access.log"));
    let lines: String = logs.map(|log| std::fs::read_to_string(log).unwrap()).collect();
    let parts: Vec<&str> =
        lines.lines().filter(|line| line.contains(&sound) && line.contains("\" 206 ")).collect();
    assert!(parts.len() >= 2, "{lines}");
    let sent: u64 = parts.iter().map(|line| line.split(' ').nth(9).unwrap().parse::<u64>().unwrap()).sum();
    assert!(sent < 20_000_000, "{parts:#?}");
}
