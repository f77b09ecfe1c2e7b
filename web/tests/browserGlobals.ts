// What modules of the viewer ask of a browser when they are loaded. Import it before them.
Object.assign(globalThis, {
  location: new URL("http://localhost/"),
  localStorage: { getItem: () => null, setItem: () => undefined },
});
