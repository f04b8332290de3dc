"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const REFERENCE = "#/components/schemas/";
const MANY = 20;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function isMoney(schema) {
  const members = Object.keys(schema.properties || {});
  return members.length === 2 && members.includes("amount") && members.includes("currency");
}

function kind(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.slice(REFERENCE.length);
  if (schema.anyOf) return schema.anyOf.map(kind).join(" | ");
  if (schema.enum && schema.enum.length > MANY) {
    return `one of ${schema.enum.length}: ${schema.enum.slice(0, 3).join(" | ")} | ...`;
  }
  if (schema.enum) return schema.enum.join(" | ");
  const types = [].concat(schema.type || "any");
  return types.map((type) => {
    if (type === "array") return `${kind(schema.items)}[]`;
    if (type === "object" && isMoney(schema)) return "{amount, currency}";
    return schema.format && type !== "null" ? `${type} (${schema.format})` : type;
  }).join(" | ");
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
  const frame = element("div", undefined, "table");
  frame.append(made);
  return frame;
}

function references(schema) {
  if (schema.$ref) return [schema.$ref.slice(REFERENCE.length)];
  const parts = [...Object.values(schema.properties || {}), ...(schema.anyOf || [])];
  if (schema.items) parts.push(schema.items);
  return parts.flatMap(references);
}

// A table for the schema itself, and one for each schema that it speaks of: whoever calls needs them all.
function schemaTables(spec, schema) {
  const named = new Set(references(schema));
  for (const name of named) references(spec.components.schemas[name]).forEach((more) => named.add(more));
  const shown = [...named].map((name) => [name, spec.components.schemas[name]]);
  if (!schema.$ref) shown.unshift([kind(schema), schema]);
  return shown.filter(([, each]) => each.properties).map(([name, each]) => {
    const required = new Set(each.required || []);
    const rows = Object.entries(each.properties).map(([field, type]) => [
      field + (required.has(field) ? " *" : ""),
      kind(type) + (type.readOnly ? ", read only" : ""),
      type.description || "",
    ]);
    return table([name, "type", ""], rows);
  });
}

function explain(spec, path, operation) {
  const made = element("div");
  if (operation.description) made.append(element("p", operation.description));
  const permission = operation["x-permission"];
  made.append(element("p", permission ? `Permission: ${permission}` : "No token needed."));
  const parameters = [...(spec.paths[path].parameters || []), ...(operation.parameters || [])];
  if (parameters.length) {
    const rows = parameters.map((each) => [
      each.name + (each.required ? " *" : ""), each.in, kind(each.schema), each.description || "",
    ]);
    made.append(table(["parameter", "in", "type", ""], rows));
  }
  for (const [type, content] of Object.entries((operation.requestBody || {}).content || {})) {
    made.append(element("h3", `Body, ${type}`), ...schemaTables(spec, content.schema));
  }
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const content = answer.content && answer.content["application/json"];
    if (!content || !content.schema) continue;
    made.append(element("h3", `Answer ${status}`), ...schemaTables(spec, content.schema));
  }
  return made;
}

function operationElement(spec, path, method, operation) {
  const made = element("details");
  const summary = element("summary");
  summary.append(element("span", method.toUpperCase(), `method ${method}`), element("code", path), " ");
  summary.append(element("span", operation.summary || "", "says"));
  made.append(summary);
  made.addEventListener("toggle", () => made.append(explain(spec, path, operation)), { once: true });
  const words = [method, path, operation.summary, operation["x-permission"]];
  made.dataset.words = words.join(" ").toLowerCase();
  return made;
}

function render(spec) {
  document.title = spec.info.title;
  document.getElementById("title").textContent = spec.info.title;
  const main = document.getElementById("operations");
  for (const tag of spec.tags || []) {
    const section = element("section");
    section.append(element("h2", tag.name.replaceAll("_", " ")), element("p", tag.description || ""));
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
  document.querySelectorAll("section").forEach((section) => {
    const operations = [...section.querySelectorAll("details")];
    operations.forEach((each) => {
      each.hidden = !words.every((word) => each.dataset.words.includes(word));
    });
    section.hidden = operations.every((each) => each.hidden);
  });
});

fetch(document.querySelector("a[href$='/openapi.json']").href).then((answer) => answer.json()).then(render);
