// The token of the address becomes a cookie that no script can read, and leaves the address.
const said = document.getElementById("said");
const token = location.hash.slice(1);
history.replaceState(null, "", "/");
if (token) {
  const answer = await fetch("/enter", { method: "POST", body: token }).catch(() => null);
  if (answer?.status === 204) location.reload();
  else if (answer?.status === 429) said.textContent = "Too many tries: wait some seconds, then open the address again.";
  else if (answer) said.textContent = "This token is not valid any more: the page was started anew. Open the address that it printed last.";
  else said.textContent = "The server did not answer.";
}
