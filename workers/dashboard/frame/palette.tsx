/** The box of the command palette; its script (islands/palette.ts) fills it from the links of the page. */
import type { View } from "./view.ts";
import { bilingual } from "./words.ts";

const words = bilingual({
  en: {
    title: "Go to",
    hint: "Type to find a page, a model or a request. Arrows choose, Enter opens. Anywhere: g and a letter, / to search.",
    open: "Open request",
    models: "Models with",
    requests: "Requests with model",
    button: "Ctrl K",
  },
  ru: {
    title: "Перейти",
    hint: "Начните вводить страницу, модель или запрос. Стрелки выбирают, Enter открывает. Везде: g и буква, / — поиск.",
    open: "Открыть запрос",
    models: "Модели, где есть",
    requests: "Запросы с моделью",
    button: "Ctrl K",
  },
});

export function PaletteButton({ view }: { view: View }) {
  const text = words(view.locale);
  return (
    <button class="link palette-button" type="button" data-palette hidden>
      {text.title} <kbd>{text.button}</kbd>
    </button>
  );
}

export function Palette({ view }: { view: View }) {
  const text = words(view.locale);
  return (
    <dialog id="palette" aria-label={text.title} data-open={text.open} data-models={text.models} data-requests={text.requests}>
      <div class="stack">
        <input
          type="search"
          role="combobox"
          aria-label={text.title}
          aria-controls="palette-list"
          aria-expanded="true"
          aria-autocomplete="list"
          placeholder={text.title}
          autocomplete="off"
        />
        <ul id="palette-list" role="listbox" aria-label={text.title}></ul>
        <p class="hint">{text.hint}</p>
      </div>
    </dialog>
  );
}
