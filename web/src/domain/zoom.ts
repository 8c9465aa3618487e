/** Looking at a picture closely: how large it is shown, and where. */

export interface Size {
  width: number;
  height: number;
}
export interface Point {
  x: number;
  y: number;
}

/** Pixels of the screen for one of the picture, and where its middle is from the middle of the stage. */
export interface View extends Point {
  scale: number;
}

/** Nobody needs a pixel larger. */
const SCALE_MAX = 16;
/** What a step makes it larger by. */
export const STEP = 1.25;

/** All of it in sight; small ones as large as they are, unless they have no size of their own. */
export function fitting(stage: Size, picture: Size, enlarge = false): number {
  if (picture.width <= 0 || picture.height <= 0) return 1;
  const scale = Math.min(stage.width / picture.width, stage.height / picture.height);
  return enlarge ? scale : Math.min(1, scale);
}

/** Larger or smaller by a factor, so that what is at a point (from the middle of the stage) stays there. */
export function zoomed(
  view: View,
  factor: number,
  at: Point,
  stage: Size,
  picture: Size,
  enlarge = false,
): View {
  const least = Math.min(1, fitting(stage, picture, enlarge));
  const scale = Math.min(SCALE_MAX, Math.max(least, view.scale * factor));
  const real = scale / view.scale;
  return kept(
    { scale, x: at.x - (at.x - view.x) * real, y: at.y - (at.y - view.y) * real },
    stage,
    picture,
  );
}

/** Never shoved out of sight: an edge goes to the stage's edge at most, and what fits stays in the middle. */
export function kept(view: View, stage: Size, picture: Size): View {
  const within = (value: number, shown: number, room: number): number => {
    const slack = Math.max(0, (shown - room) / 2);
    return Math.min(slack, Math.max(-slack, value)) || 0;
  };
  return {
    scale: view.scale,
    x: within(view.x, picture.width * view.scale, stage.width),
    y: within(view.y, picture.height * view.scale, stage.height),
  };
}

/** Can it be moved at all? */
export function overflows(view: View, stage: Size, picture: Size): boolean {
  return (
    picture.width * view.scale > stage.width + 1 || picture.height * view.scale > stage.height + 1
  );
}
