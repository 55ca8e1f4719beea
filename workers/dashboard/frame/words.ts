/**
 * English and Russian. Each page brings its own words in both: `bilingual` takes them only when the Russian ones have the very shape of the
 * English ones, so that none can be missing. Words that several pages use are here.
 */

export const LOCALES = ["en", "ru"] as const;
export type Locale = (typeof LOCALES)[number];

/** The same keys, with texts for texts and functions of the same parameters for functions. */
type SameShape<T> = {
  [Key in keyof T]: T[Key] extends string
    ? string
    : T[Key] extends (...given: infer Given) => string
      ? (...given: Given) => string
      : SameShape<T[Key]>;
};

/** Words of a page, by language. */
export function bilingual<T>(words: { en: T; ru: SameShape<T> }): (locale: Locale) => SameShape<T> {
  return (locale) => (locale === "ru" ? words.ru : (words.en as SameShape<T>));
}

export const common = bilingual({
  en: {
    product: "Plyrum",
    skip: "Skip to content",
    menu: "Menu",
    signIn: "Sign in",
    signOut: "Sign out",
    signUp: "Create an account",
    email: "E-mail",
    password: "Password",
    name: "Name",
    save: "Save",
    cancel: "Cancel",
    back: "Back",
    copy: "Copy",
    copied: "Copied",
    none: "none",
    unknown: "unknown",
    yes: "yes",
    no: "no",
    model: "Model",
    provider: "Provider",
    key: "Key",
    project: "Project",
    day: "Day",
    time: "Time",
    state: "State",
    cost: "Cost",
    requests: "Requests",
    tokens: "Tokens",
    spend: "Spend",
    errors: "Errors",
    role: "Role",
    roles: { owner: "Owner", admin: "Admin", member: "Member", billing: "Billing", "read-only": "Read only" },
    offline: "Offline evidence: no provider is configured, and answers are played by the offline provider.",
    language: "Language",
    theme: "Appearance",
    themes: { light: "Light", dark: "Dark", system: "As the system" },
    account: "Your account",
    organisations: "Organisations",
    apiReference: "API reference",
    status: "Status",
    next: "Next page",
    newest: "Newest",
    tableOf: (what: string) => `${what} as a table`,
    errorTitle: "That did not work",
    notFound: "There is nothing here",
    notFoundWhy: "The page does not exist, or your role does not show it. Check the address, or ask an owner of the organisation.",
    forged: "This form is too old or came from another site",
    forgedWhy: "Nothing was changed. Go back, load the page again and repeat what you did.",
    failed: "Something went wrong on our side",
    failedWhy: "Nothing was charged. Try again in a moment; if it happens again, tell whoever runs this installation.",
    tooMany: "Too many tries",
    tooManyWhy: "Wait a quarter of an hour, then try again.",
    invalid: (field: string, why: string) => `${field}: ${why}`,
  },
  ru: {
    product: "Plyrum",
    skip: "К содержанию",
    menu: "Меню",
    signIn: "Войти",
    signOut: "Выйти",
    signUp: "Создать учётную запись",
    email: "Эл. почта",
    password: "Пароль",
    name: "Имя",
    save: "Сохранить",
    cancel: "Отмена",
    back: "Назад",
    copy: "Скопировать",
    copied: "Скопировано",
    none: "нет",
    unknown: "неизвестно",
    yes: "да",
    no: "нет",
    model: "Модель",
    provider: "Провайдер",
    key: "Ключ",
    project: "Проект",
    day: "День",
    time: "Время",
    state: "Состояние",
    cost: "Стоимость",
    requests: "Запросы",
    tokens: "Токены",
    spend: "Расход",
    errors: "Ошибки",
    role: "Роль",
    roles: { owner: "Владелец", admin: "Администратор", member: "Участник", billing: "Бухгалтерия", "read-only": "Только чтение" },
    offline: "Данные без сети: провайдеры не настроены, ответы воспроизводит встроенный имитатор.",
    language: "Язык",
    theme: "Оформление",
    themes: { light: "Светлое", dark: "Тёмное", system: "Как в системе" },
    account: "Ваш профиль",
    organisations: "Организации",
    apiReference: "Справочник API",
    status: "Состояние",
    next: "Следующая страница",
    newest: "К новым",
    tableOf: (what: string) => `${what}: таблица`,
    errorTitle: "Не получилось",
    notFound: "Здесь ничего нет",
    notFoundWhy: "Такой страницы нет, или её не показывает ваша роль. Проверьте адрес или спросите владельца организации.",
    forged: "Форма устарела или отправлена с другого сайта",
    forgedWhy: "Ничего не изменено. Вернитесь, обновите страницу и повторите действие.",
    failed: "Ошибка на нашей стороне",
    failedWhy: "Деньги не списаны. Повторите чуть позже; если не поможет, сообщите тому, кто обслуживает эту установку.",
    tooMany: "Слишком много попыток",
    tooManyWhy: "Подождите четверть часа и попробуйте снова.",
    invalid: (field: string, why: string) => `${field}: ${why}`,
  },
});
