// Beside this script's folder, wherever the stage's path puts that.
SwaggerUIBundle({
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // a token does not outlive its page
});
