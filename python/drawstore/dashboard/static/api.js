// Asking the server.

export class Failed extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

// Gives the JSON at an address; throws Failed, of status 0 where the server does not answer.
export async function ask(path, query = [], signal = undefined) {
  const search = new URLSearchParams(query).toString();
  let response;
  try {
    response = await fetch(search ? `${path}?${search}` : path, { signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(0, "the server does not answer");
  }
  let body;
  try {
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(response.status, response.statusText);
  }
  if (!response.ok) throw new Failed(response.status, body.error);
  return body;
}
