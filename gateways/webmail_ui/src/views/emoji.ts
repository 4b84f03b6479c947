// What the picker offers: what people in offices use, in groups: faces, hands, people, work, food and weather, signs.

const TEXT =
  "🙂 😀 😄 😂 😉 😊 😍 😎 🤔 😮 😢 😴 😅 🙄 😬 🤯 🥳 😇 👍 👎 👏 🙌 🙏 👋 🤝 💪 ✌️ 🤞 👀 🙋 🤷 🤦 " +
  "🎉 🎂 🎁 🏆 🚀 💡 📌 📎 📅 ⏰ ☎️ ✉️ 📈 📉 🔍 🔒 🛠️ 💻 🐛 🔥 ☕ 🍕 🍰 🍺 🌞 🌧️ ❄️ 🌈 " +
  "❤️ 💚 ⭐ ✅ ❌ ❓ ❗ ➕ 💯 🆗";

export const EMOJI = TEXT.split(" ");
