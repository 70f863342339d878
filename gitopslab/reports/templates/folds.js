"use strict";
(() => {
  // Not every browser opens the folds around what a link leads to.
  const unfold = (hash) => {
    const target = hash && document.getElementById(hash.slice(1));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  };
  const follow = () => unfold(location.hash);
  document.addEventListener("click", (event) => unfold(event.target.closest("a[href^='#']")?.hash));
  addEventListener("hashchange", follow);
  follow();
})();
