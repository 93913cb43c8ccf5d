/** What keeps this process busy, by kind: a leak would be one more of a kind for each call. */
export function GET(): Response {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return Response.json(counts)
}
