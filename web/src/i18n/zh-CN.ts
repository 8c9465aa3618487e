/** All texts in zh-CN. */
const files = import.meta.glob<Record<string, unknown>>("./zh-CN/*.json", {
  eager: true,
  import: "default",
});

export default Object.fromEntries(
  Object.entries(files).map(([path, texts]) => [path.replace(/^.*\/|\.json$/g, ""), texts]),
);
