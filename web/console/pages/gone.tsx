import { ButtonLink, Empty, usePage } from "../../kit/index.ts";

export default function Gone() {
  const heading = usePage("Not found", "Console");
  return (
    <>
      <h1 ref={heading} tabIndex={-1} class="unseen">
        Not found
      </h1>
      <Empty
        title="There is no such screen"
        icon="search"
        action={
          <ButtonLink href="/console" kind="primary">
            To the overview
          </ButtonLink>
        }
      >
        The address may be mistyped.
      </Empty>
    </>
  );
}
