// Sets the chosen colours before the first paint. Not a module: those run after it.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser may refuse storage: then the system's colours stay.
}
