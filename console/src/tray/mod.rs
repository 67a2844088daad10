//! `dedup tray`: an icon in the desktop's panel that shows whether all is well, opens the console, and pauses and stops
//! backups. The panel asks over the session's D-Bus, by the StatusNotifierItem specification (docs/decisions/0062-tray.md).
//!
//! [`state`] is what is shown, [`icon`] and [`menu`] how. Nothing is remembered here: the state is looked at anew every few
//! seconds, so a change by a command shows by itself.

mod icon;
mod menu;
mod state;

use futures_util::StreamExt;
use icon::Badge;
use jiff::{Span, Zoned};
use menu::{Entry, TrayAction};
use service::catalogue::report::tray as texts;
use service::catalogue::{Cause, Lang, TrayFault};
use service::notify::{self, session_bus};
use service::runs::control::{self, StopRequest};
use service::settings::Settings;
use service::{Context, Failure, desktop};
use state::TrayState;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::time::timeout;
use zbus::connection::Builder as BusBuilder;
use zbus::message::{Header, Message, Type};
use zbus::{Connection, MessageStream, ObjectPath, OwnedVariant, Variant};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const ITEM_PATH: &str = "/StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";
const MENU_PATH: &str = "/MenuBar";
const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// For the session's bus to answer at the start.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether to end.
const LOOK: Duration = Duration::from_millis(250);
/// How often the state is looked at.
const REFRESH: Duration = Duration::from_secs(5);

type Map = HashMap<&'static str, Variant<'static>>;

/// Shows the icon until the context is cancelled, somebody closes it, or the session ends. `shown` is told when it is there.
/// Without a panel it fails, or `waits` for one.
pub fn show_tray(
    context: Context,
    waits: bool,
    shown: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| ended(&e.to_string()))?;
    let done = runtime.block_on(async {
        let address = session_bus(&context.env);
        let connected = timeout(PATIENCE, BusBuilder::address(address.as_str()).build()).await;
        let bus = match connected {
            Ok(Ok(bus)) => bus,
            Ok(Err(e)) => return Err(no_bus(&e.to_string())),
            Err(late) => return Err(no_bus(&late.to_string())),
        };
        let mut tray = Tray {
            state: TrayState::unknown(String::new()),
            lang: notify::language(&context),
            base: context,
            bus,
            entries: Vec::new(),
            revision: 1,
            refused: Arc::default(),
            is_registered: false,
        };
        tray.look();
        tray.run(waits, shown).await
    });
    // A question to the panel that it has not answered is of no use any more.
    runtime.shutdown_background();
    done
}

struct Tray {
    base: Context,
    lang: Lang,
    bus: Connection,
    state: TrayState,
    entries: Vec<Entry>,
    /// Of the menu.
    revision: u32,
    /// What the panel answered if it does not want the icon.
    refused: Arc<OnceLock<String>>,
    /// A panel was given the icon.
    is_registered: bool,
}

impl Tray {
    async fn run(
        &mut self,
        waits: bool,
        shown: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut messages = MessageStream::from(&self.bus);
        let has_panel = self.introduce().await.map_err(|e| ended(&e.to_string()))?;
        match has_panel {
            true => self.register(),
            false if waits => {}
            false => return Err(fault(TrayFault::NoTray)),
        }
        let (mut looked, mut is_told) = (Instant::now(), false);
        while !self.base.cancel().is_cancelled() {
            if self.is_registered && !is_told {
                shown()?;
                is_told = true;
            }
            match timeout(LOOK, messages.next()).await {
                Ok(Some(Ok(message))) => match self.answer(&message).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(()),
                    Err(e) if self.bus.is_closed() => return Err(ended(&e.to_string())),
                    // A question that nobody understands gets no answer.
                    Err(_) => {}
                },
                Ok(Some(Err(_)) | None) => return Err(ended("the session has ended")),
                Err(_) => {}
            }
            if let Some(why) = self.refused.get() {
                return Err(ended(why));
            }
            if looked.elapsed() >= REFRESH {
                // That nobody can be told is seen by the next message.
                let _ = self.refresh().await;
                looked = Instant::now();
            }
        }
        Ok(())
    }

    /// Takes the name that panels expect, and has the bus say when the panel is started again. False if there is none.
    async fn introduce(&self) -> zbus::Result<bool> {
        self.bus.request_name(desktop::icon_name()).await?;
        let rule = format!(
            "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{WATCHER}'"
        );
        let (bus, question) = (&self.bus, Some(BUS));
        bus.call_method(question, BUS_PATH, question, "AddMatch", &rule)
            .await?;
        let reply = bus
            .call_method(question, BUS_PATH, question, "NameHasOwner", &WATCHER)
            .await?;
        reply.body().deserialize()
    }

    /// Not waited for: a panel may want to know everything before it answers.
    fn register(&mut self) {
        self.is_registered = true;
        let (bus, name, refused) = (self.bus.clone(), desktop::icon_name(), self.refused.clone());
        tokio::spawn(async move {
            let watcher = Some(WATCHER);
            let call = bus.call_method(
                watcher,
                WATCHER_PATH,
                watcher,
                "RegisterStatusNotifierItem",
                &name,
            );
            if let Err(e) = call.await {
                // The first refusal is as good as any.
                let _ = refused.set(e.to_string());
            }
        });
    }

    fn context(&self) -> Result<Context, Failure> {
        let cancel = self.base.cancel().child();
        let mut context = self.base.for_job(self.base.options.clone(), Zoned::now(), cancel);
        context.settings = Settings::read(&context.env)?;
        Ok(context)
    }

    /// True if something has changed.
    fn look(&mut self) -> bool {
        let found = self
            .context()
            .and_then(|context| state::look(&context, self.lang));
        let state = found.unwrap_or_else(|failure| TrayState::unknown(failure.text(self.lang)));
        let has_changed = state != self.state || self.entries.is_empty();
        if has_changed {
            self.entries = menu::entries(self.lang, &state);
            self.state = state;
        }
        has_changed
    }

    async fn refresh(&mut self) -> zbus::Result<()> {
        if !self.look() {
            return Ok(());
        }
        self.revision = self.revision.wrapping_add(1);
        let bus = &self.bus;
        let nobody = None::<&str>;
        for signal in ["NewIcon", "NewAttentionIcon", "NewToolTip"] {
            bus.emit_signal(nobody, ITEM_PATH, ITEM, signal, &()).await?;
        }
        bus.emit_signal(nobody, ITEM_PATH, ITEM, "NewStatus", &self.status())
            .await?;
        let layout = (self.revision, 0i32);
        bus.emit_signal(nobody, MENU_PATH, MENU, "LayoutUpdated", &layout)
            .await
    }

    fn status(&self) -> &'static str {
        match self.state.badge {
            Badge::Attention => "NeedsAttention",
            _ => "Active",
        }
    }

    /// False once somebody wants no icon any more.
    async fn answer(&mut self, message: &Message) -> zbus::Result<bool> {
        let header = message.header();
        let member = header.member().map(|member| member.as_str()).unwrap_or_default();
        match message.message_type() {
            Type::MethodCall => {}
            Type::Signal if member == "NameOwnerChanged" => {
                let (_, _, owner): (String, String, String) = message.body().deserialize()?;
                if !owner.is_empty() {
                    self.register();
                }
                return Ok(true);
            }
            _ => return Ok(true),
        }
        let interface = header.interface().map(|interface| interface.as_str());
        match interface.unwrap_or_default() {
            PROPERTIES => self.property(&header, member, message).await.map(|()| true),
            ITEM => {
                if member == "Activate" {
                    self.act(TrayAction::Open).await;
                }
                self.bus.reply(&header, &()).await.map(|()| true)
            }
            MENU => self.menu(&header, member, message).await,
            _ => self.unknown(&header).await.map(|()| true),
        }
    }

    async fn unknown(&self, header: &Header<'_>) -> zbus::Result<()> {
        let error = "org.freedesktop.DBus.Error.UnknownMethod";
        self.bus.reply_error(header, error, &"no such method").await
    }

    async fn property(&self, header: &Header<'_>, member: &str, message: &Message) -> zbus::Result<()> {
        let body = message.body();
        match member {
            "GetAll" => {
                let interface: String = body.deserialize()?;
                self.bus.reply(header, &self.properties(&interface)).await
            }
            "Get" => {
                let (interface, name): (String, String) = body.deserialize()?;
                match self.properties(&interface).get(name.as_str()) {
                    Some(value) => self.bus.reply(header, value).await,
                    None => {
                        let error = "org.freedesktop.DBus.Error.UnknownProperty";
                        self.bus.reply_error(header, error, &"no such property").await
                    }
                }
            }
            _ => self.unknown(header).await,
        }
    }

    fn properties(&self, interface: &str) -> Map {
        match interface {
            ITEM => self.item(),
            MENU => HashMap::from([
                ("Version", 3u32.into()),
                ("TextDirection", "ltr".into()),
                ("Status", "normal".into()),
                ("IconThemePath", Vec::<String>::new().into()),
            ]),
            _ => Map::new(),
        }
    }

    fn item(&self) -> Map {
        let none = || Vec::<icon::Pixmap>::new();
        let text = format!("{}\n{}", self.state.sentence, self.state.below);
        let tip = (
            String::new(),
            none(),
            "dedup".to_string(),
            text.trim().to_string(),
        );
        let mut item = HashMap::from([
            ("Category", "SystemServices".into()),
            ("Id", "dedup".into()),
            ("Title", "dedup".into()),
            ("Status", self.status().into()),
            ("WindowId", 0i32.into()),
            ("IconName", "".into()),
            ("IconPixmap", icon::icon(self.state.badge).into()),
            ("OverlayIconName", "".into()),
            ("OverlayIconPixmap", none().into()),
            ("AttentionIconName", "".into()),
            ("AttentionIconPixmap", icon::icon(Badge::Attention).into()),
            ("AttentionMovieName", "".into()),
            ("ToolTip", tip.into()),
            ("ItemIsMenu", false.into()),
        ]);
        if let Ok(path) = ObjectPath::try_from(MENU_PATH) {
            item.insert("Menu", path.into());
        }
        item
    }

    async fn menu(&mut self, header: &Header<'_>, member: &str, message: &Message) -> zbus::Result<bool> {
        let (body, bus) = (message.body(), self.bus.clone());
        let mut goes_on = true;
        match member {
            "GetLayout" => {
                let (id, depth, _): (i32, i32, Vec<String>) = body.deserialize()?;
                match menu::layout(&self.entries, id, depth) {
                    Some(layout) => bus.reply(header, &(self.revision, layout)).await?,
                    None => self.unknown(header).await?,
                }
            }
            "GetGroupProperties" => {
                let (ids, _): (Vec<i32>, Vec<String>) = body.deserialize()?;
                bus.reply(header, &menu::properties(&self.entries, &ids)).await?;
            }
            "GetProperty" => {
                let (id, name): (i32, String) = body.deserialize()?;
                let found = menu::layout(&self.entries, id, 0);
                match found.as_ref().and_then(|(_, known, _)| known.get(name.as_str())) {
                    Some(value) => bus.reply(header, value).await?,
                    None => self.unknown(header).await?,
                }
            }
            "Event" => {
                let (id, event, _, _): (i32, String, OwnedVariant, u32) = body.deserialize()?;
                bus.reply(header, &()).await?;
                goes_on = self.event(id, &event).await;
            }
            "EventGroup" => {
                let events: Vec<(i32, String, OwnedVariant, u32)> = body.deserialize()?;
                bus.reply(header, &Vec::<i32>::new()).await?;
                for (id, event, _, _) in events {
                    goes_on &= self.event(id, &event).await;
                }
            }
            "AboutToShow" => {
                let before = self.revision;
                self.refresh().await?;
                bus.reply(header, &(self.revision != before)).await?;
            }
            "AboutToShowGroup" => bus.reply(header, &(Vec::<i32>::new(), Vec::<i32>::new())).await?,
            _ => self.unknown(header).await?,
        }
        Ok(goes_on)
    }

    async fn event(&mut self, id: i32, event: &str) -> bool {
        let entry = self.entries.iter().find(|entry| entry.id == id);
        match entry
            .and_then(|entry| entry.action)
            .filter(|_| event == "clicked")
        {
            Some(TrayAction::Quit) => return false,
            Some(action) => self.act(action).await,
            None => {}
        }
        true
    }

    async fn act(&mut self, action: TrayAction) {
        // Somebody may have started the console just now.
        self.look();
        let done = match (action, &self.state.console) {
            (TrayAction::Open, Some(url)) => desktop::open_page(url),
            (TrayAction::Open, None) => {
                let text = texts::start_the_console(self.lang, &self.state.sets.join("\n"));
                return self.tell(&text).await;
            }
            _ => self.context().and_then(|context| control(&context, action)),
        };
        if let Err(failure) = done {
            self.tell(&failure.text(self.lang)).await;
        }
        // That nobody can be told is seen by the next message.
        let _ = self.refresh().await;
    }

    /// In a notification of the desktop.
    async fn tell(&self, text: &str) {
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let (actions, hints) = (Vec::<String>::new(), Map::from([("urgency", 1u8.into())]));
        let message = ("dedup", 0u32, "", "dedup", text, actions, hints, -1i32);
        let service = Some(NOTIFICATIONS);
        let call = self
            .bus
            .call_method(service, NOTIFICATIONS_PATH, service, "Notify", &message);
        // A desktop without notifications has nowhere else to show it.
        let _ = timeout(PATIENCE, call).await;
    }
}

fn control(context: &Context, action: TrayAction) -> Result<(), Failure> {
    match action {
        TrayAction::Pause(hours) => control::pause(context, Span::new().hours(hours)).map(drop),
        TrayAction::Resume => control::resume(context).map(drop),
        TrayAction::Stop => {
            let request = StopRequest {
                names: Vec::new(),
                wait: Duration::ZERO,
            };
            control::stop(context, &request).map(drop)
        }
        TrayAction::Open | TrayAction::Quit => Ok(()),
    }
}

fn fault(fault: TrayFault) -> Failure {
    let fault = fault.into();
    Cause::Console { fault }.into()
}

fn no_bus(why: &str) -> Failure {
    let why = why.to_string();
    fault(TrayFault::NoSessionBus { why })
}

fn ended(why: &str) -> Failure {
    let why = why.to_string();
    fault(TrayFault::Ended { why })
}
