/** All texts in en. */
const files = import.meta.glob<Record<string, unknown>>("./en/*.json", {
  eager: true,
  import: "default",
});

export default Object.fromEntries(
  Object.entries(files).map(([path, texts]) => [path.replace(/^.*\/|\.json$/g, ""), texts]),
);
