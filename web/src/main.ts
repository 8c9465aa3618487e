/** The page begins here. */
import "./style.css";
import { createApp } from "vue";
import App from "./app.vue";
import { i18n, speak } from "./i18n";
import { router } from "./router";
import { applyTheme, settings } from "./state/settings";

applyTheme();
await speak(settings.locale);
createApp(App).use(i18n).use(router).mount("#app");
