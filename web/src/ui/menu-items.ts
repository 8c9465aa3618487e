/** What menus are made of. */
import type { Component } from "vue";

export interface MenuItem {
  id: string;
  label: string;
  icon?: Component;
  /** The key that does the same. */
  keys?: string;
  danger?: boolean;
  disabled?: boolean;
  /** Chosen, among others of its kind. */
  checked?: boolean;
  /** A line is drawn above it. */
  apart?: boolean;
  run: () => void;
}

export const MENU_CLASS =
  "animate-rise z-50 min-w-44 max-w-80 rounded border border-line bg-surface-1 p-1 shadow-float outline-none";
export const ITEM_CLASS =
  "flex h-8 cursor-default items-center gap-2 rounded-sm px-2 text-base outline-none select-none data-[disabled]:opacity-50 data-[highlighted]:bg-surface-2 pointer-coarse:h-10";
