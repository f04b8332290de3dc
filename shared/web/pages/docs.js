"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function schemaName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return schemaName(schema.items) + "[]";
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type || "any";
  return schema.enum ? schema.enum.join(" | ") : schema.format ? `${type} (${schema.format})` : type;
}

function table(heads, rows) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  heads.forEach((text) => head.append(element("th", text)));
  const body = made.createTBody();
  rows.forEach((cells) => {
    const row = body.insertRow();
    cells.forEach((text) => row.append(element("td", text)));
  });
  return made;
}

function schemaTable(spec, schema) {
  const named = schema.$ref ? spec.components.schemas[schemaName(schema)] : schema;
  const required = new Set(named.required || []);
  const rows = Object.entries(named.properties || {}).map(([name, field]) => [
    name + (required.has(name) ? " *" : ""),
    schemaName(field) + (field.readOnly ? ", read only" : ""),
    field.description || "",
  ]);
  return table([schemaName(schema), "type", ""], rows);
}

function operationElement(spec, path, method, operation) {
  const made = element("details");
  const summary = element("summary");
  summary.append(element("span", method.toUpperCase(), "method"), element("code", path));
  summary.append(` ${operation.summary || ""}`);
  made.append(summary);
  if (operation.description) made.append(element("p", operation.description));
  const permission = operation["x-permission"];
  made.append(element("p", permission ? `Permission: ${permission}` : "No token needed."));
  const shared = spec.paths[path].parameters || [];
  const parameters = [...shared, ...(operation.parameters || [])];
  if (parameters.length) {
    const rows = parameters.map((each) => [
      each.name + (each.required ? " *" : ""), each.in, schemaName(each.schema), each.description || "",
    ]);
    made.append(table(["parameter", "in", "type", ""], rows));
  }
  for (const [type, content] of Object.entries((operation.requestBody || {}).content || {})) {
    made.append(element("h4", `Body, ${type}`), schemaTable(spec, content.schema));
  }
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const content = answer.content && answer.content["application/json"];
    if (!content || !content.schema) continue;
    made.append(element("h4", `Answer ${status}`), schemaTable(spec, content.schema));
  }
  made.dataset.words = `${method} ${path} ${operation.summary || ""} ${permission || ""}`.toLowerCase();
  return made;
}

function render(spec) {
  document.title = spec.info.title;
  document.getElementById("title").textContent = spec.info.title;
  const main = document.getElementById("operations");
  for (const tag of spec.tags || []) {
    const section = element("section");
    section.append(element("h2", tag.name), element("p", tag.description || ""));
    for (const [path, item] of Object.entries(spec.paths)) {
      METHODS.filter((method) => item[method] && item[method].tags.includes(tag.name)).forEach((method) => {
        section.append(operationElement(spec, path, method, item[method]));
      });
    }
    main.append(section);
  }
}

document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  document.querySelectorAll("details").forEach((each) => {
    each.hidden = !words.every((word) => each.dataset.words.includes(word));
  });
});

fetch("/openapi.json").then((answer) => answer.json()).then(render);
