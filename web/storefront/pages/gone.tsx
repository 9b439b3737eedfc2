import { ButtonLink, Empty, usePage } from "../../kit/index.ts";

export default function Gone() {
  const heading = usePage("Not found");
  return (
    <>
      <h1 ref={heading} tabIndex={-1} class="unseen">
        Not found
      </h1>
      <Empty
        title="There is no such page"
        icon="search"
        action={
          <ButtonLink href="/" kind="primary">
            To the shop
          </ButtonLink>
        }
      >
        The address may be mistyped, or the page has moved.
      </Empty>
    </>
  );
}
