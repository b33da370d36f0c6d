// A front end's code against the generated types. It is compiled in strict mode, and not run.
import createClient from "openapi-fetch";
import type { paths } from "./api";

const api = createClient<paths>({ baseUrl: "http://127.0.0.1:3000" });

export async function queueToken(eventId: string): Promise<string | number> {
  const { data, error } = await api.GET("/queue/status", { params: { query: { eventId } } });
  if (typeof error === "string") return error; // 431, of the gateway itself
  if (error !== undefined) return `${error.code} ${error.traceId}`;
  if (data.status === "ADMITTED") return data.token; // only an admitted buyer has one
  return data.position; // and only a waiting one a position
}

export async function titles(): Promise<string[]> {
  const { data } = await api.GET("/events");
  return data ? data.items.map((event) => event.title.toUpperCase()) : [];
}
