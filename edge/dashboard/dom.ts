/** The little that is needed of the document. */

export type Properties = {
  readonly class?: string;
  readonly text?: string;
  readonly data?: Readonly<Record<string, string>>;
};

export const element = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  { class: name, text, data }: Properties = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[Tag] => {
  const made = document.createElement(tag);
  if (name !== undefined) made.className = name;
  if (text !== undefined) made.textContent = text;
  if (data) Object.assign(made.dataset, data);
  made.append(...children);
  return made;
};

/** An element of the page, of the kind that is expected there. */
export const byId = <Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind => {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
};

/** Sets the text when it differs, so that nothing is laid out anew for nothing. */
export const setText = (target: Node, text: string): void => {
  if (target.textContent !== text) target.textContent = text;
};
