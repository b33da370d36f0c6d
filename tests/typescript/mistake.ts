// What the types must reject: a waiting buyer has no token.
import type { components } from "./api";

export const token = (place: components["schemas"]["WaitingResponse"]): string => place.token;
