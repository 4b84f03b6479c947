import "./styles.css";
import { applyTheme } from "./preferences";
import { language } from "./text/text";
import "./views/app";

document.documentElement.lang = language;
applyTheme();
