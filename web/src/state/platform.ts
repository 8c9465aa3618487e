/** What of the machine matters to the page. */

/** Apple's machines have Command where others have Control. */
export const apple = /Mac|iPhone|iPad/.test(navigator.platform);
