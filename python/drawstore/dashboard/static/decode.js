// Columns of data sources, as the server sends them.

const KINDS = {
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, float32: Float32Array, float64: Float64Array,
};

// Gives an array of numbers as a typed array, a list of such as a list.
export function column(value) {
  if (Array.isArray(value)) return value.map(column);
  if (value === null || typeof value !== "object") return value;
  const text = atob(value.base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const flat = new KINDS[value.dtype](bytes.buffer);
  if (value.shape.length < 2) return flat;
  const size = value.shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = [];
  for (let i = 0; i < value.shape[0]; i++) rows.push(flat.subarray(i * size, (i + 1) * size));
  return rows;
}

// Gives all columns of a source.
export function columns(source) {
  return Object.fromEntries(Object.entries(source).map(([name, value]) => [name, column(value)]));
}
